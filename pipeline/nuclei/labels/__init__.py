"""Label images: bounding boxes, and nuclei in one piece; arrays in, arrays out."""

from pipeline.arrays import Int32s

Labels = Int32s
"""Label image (h, w): the number of the nucleus that each pixel belongs to, 1 and up; 0 = background."""
