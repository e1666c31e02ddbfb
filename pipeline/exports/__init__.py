"""Room of the exports: artefacts in the formats of other ecosystems."""
