"""Where tissue is on a small picture of a slide."""
