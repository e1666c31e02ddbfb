"""What a report tells: read once from the artefacts, counted and chosen."""
