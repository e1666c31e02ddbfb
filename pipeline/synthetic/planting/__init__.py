"""What planted cohorts are made of: an image with its true pairs, shifts between hospitals, ceilings, files."""
