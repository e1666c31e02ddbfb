"""Operations on masks: growing, closing, opening, and what is too small to stay.

Frame: (row, col); lengths and areas in cells of the mask.  A disc of radius r holds the
cells whose centres are at most r away.  Beyond its border a mask continues as at its border.
"""

import math

import numpy as np
from scipy import ndimage

from pipeline.arrays import Bools, Int32s, Int64s

Mask = Bools

ROWS_AT_ONCE = 256
"""Rows handled together where a whole array of temporaries would double the memory."""


def grown(mask: Mask, radius_px: float) -> Mask:
    """Dilation with a disc; what lies beyond the border is background."""
    if radius_px < 1:
        return mask
    reach = math.floor(radius_px)
    result = np.zeros_like(mask)
    widened, half_width = mask.copy(), 0
    # From the disc's ends to its middle its rows only widen, so each widening builds on the last.
    for offset in range(reach, -1, -1):
        wanted = math.floor(math.sqrt(radius_px**2 - offset**2))
        for step in range(half_width + 1, wanted + 1):
            widened[:, step:] |= mask[:, :-step]
            widened[:, :-step] |= mask[:, step:]
        half_width = wanted
        for shift in {-offset, offset}:
            _or_shifted(result, widened, shift)
    return result


def _or_shifted(target: Mask, mask: Mask, rows: int) -> None:
    """Add ``mask``, moved down by ``rows``, to ``target``."""
    if rows == 0:
        target |= mask
    elif rows > 0:
        target[rows:] |= mask[:-rows]
    else:
        target[:rows] |= mask[-rows:]


def closed(mask: Mask, radius_px: float) -> Mask:
    """Morphological closing with a disc."""
    if radius_px < 1 or not mask.any() or mask.all():
        return mask
    pad = math.floor(radius_px) + 1
    padded = np.pad(mask, pad, mode="edge")
    outside = ~grown(padded, radius_px)
    if not outside.any():
        return np.ones_like(mask)
    outside = grown(outside, radius_px)[pad:-pad, pad:-pad]
    return ~outside | mask


def opened(mask: Mask, radius_px: float) -> Mask:
    """Morphological opening with a disc: only what a disc fits into stays."""
    return ~closed(~mask, radius_px)


def without_small_regions(mask: Mask, min_area_px: float) -> Mask:
    """``mask`` without its 4-connected regions of less than ``min_area_px`` cells."""
    if min_area_px <= 1 or not mask.any():
        return mask
    regions, count = ndimage.label(mask)
    large = _areas(regions, count) >= min_area_px
    large[0] = False
    return _chosen(regions, large)


def with_small_holes_filled(mask: Mask, max_area_px: float) -> Mask:
    """``mask`` with its holes of at most ``max_area_px`` filled; what reaches the border is no hole."""
    if max_area_px < 1 or mask.all():
        return mask
    holes, count = ndimage.label(~mask)
    small = _areas(holes, count) <= max_area_px
    for border in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        small[border] = False
    small[0] = False
    filled = _chosen(holes, small)
    filled |= mask
    return filled


def _areas(regions: Int32s, count: int) -> Int64s:
    """Cells of each label, (count + 1,)."""
    areas = np.zeros(count + 1, np.int64)
    for top in range(0, len(regions), ROWS_AT_ONCE):
        areas += np.bincount(regions[top : top + ROWS_AT_ONCE].ravel(), minlength=count + 1)
    return areas


def _chosen(regions: Int32s, wanted: Mask) -> Mask:
    """Cells whose label is wanted, (rows, cols)."""
    chosen = np.empty(regions.shape, np.bool_)
    for top in range(0, len(regions), ROWS_AT_ONCE):
        chosen[top : top + ROWS_AT_ONCE] = wanted[regions[top : top + ROWS_AT_ONCE]]
    return chosen
