"""Small images in batches: which go together, what of an interrupted or repeated batch is kept, and how one is run."""
