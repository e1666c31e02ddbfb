"""Where tissue is, from a small picture of the slide: deterministic, nothing learned.

Tissue is coloured and glass is not.  The threshold on chroma is Otsu's, held in a fixed
interval, so that an image that is tissue all over stays so and an empty one stays empty.
Frame: (row, col) of the mask; lengths in micrometres.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline.tiling.params import TilingParams

Mask = npt.NDArray[np.bool_]

CELLS_PER_TILE = 32
"""Mask cells along a tile's side: 0.1 % of its area each."""

CELLS_PER_SIDE = 256
"""Mask cells along an image's shorter side, for small images."""

LARGEST_HOLE_OF_TILE = 0.25
"""Share of a tile's area above which a hole is never filled: a tile must not be kept for a lumen."""

MAX_CELLS = 16_000_000
"""Cells to which a mask is refined; a larger slide keeps a coarser one, of at most ``mask_mpp``."""


def mask_mpp_for(width_um: float, height_um: float, slide_mpp: float, params: TilingParams) -> float:
    """Resolution of the mask, um/px.

    ``params.mask_mpp``, or finer where a tile would have fewer than ``CELLS_PER_TILE`` or
    the image fewer than ``CELLS_PER_SIDE`` cells on a side, but not finer than the slide
    nor of more than ``MAX_CELLS`` cells; never coarser than ``params.mask_mpp``.
    """
    wanted = min(params.tile_um / CELLS_PER_TILE, min(width_um, height_um) / CELLS_PER_SIDE)
    finest = max(slide_mpp, math.sqrt(width_um * height_um / MAX_CELLS))
    return min(params.mask_mpp, max(wanted, finest))


def tissue_mask(rgb: npt.NDArray[np.uint8], cell_um: float, params: TilingParams) -> Mask:
    """Find tissue in a picture of ``cell_um`` micrometres per pixel.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3).

    Returns
    -------
    bool (h, w)
    """
    smoothed = _smoothed(rgb, params.smoothing_um / cell_um)
    chroma = smoothed.max(axis=2) - smoothed.min(axis=2)
    is_black = smoothed.max(axis=2) < params.black_below
    threshold = min(max(otsu_threshold(chroma[~is_black]), params.chroma_low), params.chroma_high)
    tissue = closed((chroma > threshold) & ~is_black, params.closing_um / cell_um) & ~is_black
    cell_area_um2 = cell_um**2
    tile_area_um2 = params.tile_um**2
    largest_um2 = min(params.fill_holes_um2, LARGEST_HOLE_OF_TILE * tile_area_um2)
    tissue = with_small_holes_filled(tissue, largest_um2 / cell_area_um2) & ~is_black
    least_um2 = min(params.min_region_area_um2, params.min_tissue_fraction * tile_area_um2)
    return without_small_regions(tissue, least_um2 / cell_area_um2)


def otsu_threshold(values: npt.NDArray[np.float32]) -> float:
    """Threshold in [0, 255] that maximises the variance between the two classes (Otsu 1979).

    Values are binned to integers.  Where one class is empty, as for constant or no values, 0.
    """
    counts = np.bincount(np.rint(values).astype(np.int64).clip(0, 255).ravel(), minlength=256).astype(np.float64)
    level = np.arange(256)
    below, above = np.cumsum(counts), counts.sum() - np.cumsum(counts)
    sum_below = np.cumsum(counts * level)
    valid = (below > 0) & (above > 0)
    if not valid.any():
        return 0.0
    mean_gap = sum_below[valid] / below[valid] - (sum_below[-1] - sum_below[valid]) / above[valid]
    variance = below[valid] * above[valid] * mean_gap**2
    # A gap between the classes gives a plateau of equal variance; its middle is the fair choice.
    best = level[valid][variance >= variance.max() * (1 - 1e-12)]
    return float(best.mean())


def closed(mask: Mask, radius_px: float) -> Mask:
    """Morphological closing with a disc; what lies beyond the border continues the border."""
    if radius_px < 1 or not mask.any() or mask.all():
        return mask
    pad = math.ceil(radius_px) + 1
    padded = np.pad(mask, pad, mode="edge")
    grown = ndimage.distance_transform_edt(~padded) <= radius_px
    if grown.all():
        return np.ones_like(mask)
    kept: Mask = ndimage.distance_transform_edt(grown) > radius_px
    return (kept | padded)[pad:-pad, pad:-pad]


def without_small_regions(mask: Mask, min_area_px: float) -> Mask:
    """``mask`` without its 4-connected regions of less than ``min_area_px`` pixels."""
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    areas = np.bincount(regions.ravel())
    large = areas >= min_area_px
    large[0] = False
    kept: Mask = large[regions]
    return kept


def with_small_holes_filled(mask: Mask, max_area_px: float) -> Mask:
    """``mask`` with its holes of at most ``max_area_px`` filled; what reaches the border is no hole."""
    holes, count = ndimage.label(~mask)
    if count == 0:
        return mask
    small = np.bincount(holes.ravel()) <= max_area_px
    border = np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])
    small[border] = False
    small[0] = False
    filled: Mask = mask | small[holes]
    return filled


def _smoothed(rgb: npt.NDArray[np.uint8], sigma_px: float) -> npt.NDArray[np.float32]:
    return np.stack(
        [ndimage.gaussian_filter(rgb[..., i].astype(np.float32), sigma_px, mode="nearest") for i in range(3)], axis=2
    )
