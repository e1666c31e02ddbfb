"""Nuclei that other programs found: checked against the slide, measured as far as they tell, owned by its tiles."""
