"""Label images: bounding boxes, and nuclei in one piece; arrays in, arrays out."""
