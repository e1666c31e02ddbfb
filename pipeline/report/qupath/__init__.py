"""GeoJSON as QuPath reads it."""
