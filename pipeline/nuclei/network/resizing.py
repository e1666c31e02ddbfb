"""Images to a segmenter's resolution, and its labels back."""

import cv2
import numpy as np

from pipeline.arrays import Rgb
from pipeline.nuclei.labels import Labels

Size = tuple[int, int]
"""Height and width, pixels."""


def rescaled_size(size: Size, factor: float) -> Size:
    """``size`` times ``factor``, rounded, at least one pixel a side."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def resized(rgb: Rgb, size: Size) -> Rgb:
    """``rgb`` (h, w, 3) at ``size``: means of pixels when smaller, between pixels when larger."""
    if rgb.shape[:2] == size:
        return rgb
    way = cv2.INTER_AREA if size[1] < rgb.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, size[::-1], interpolation=way), dtype=np.uint8)


def resized_labels(labels: Labels, size: Size) -> Labels:
    """``labels`` (h, w) at ``size``, by nearest neighbour."""
    if labels.shape == size:
        return labels
    return np.asarray(cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.int32)
