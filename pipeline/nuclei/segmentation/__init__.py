"""From tiles to nuclei, each counted once and whole, by any of the segmenters."""
