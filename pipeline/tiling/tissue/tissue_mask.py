"""Where tissue is, from a small picture of the slide: deterministic, nothing learned.

Tissue is coloured and glass is not.  The threshold on chroma is Otsu's, held in a fixed
interval, so that an image that is tissue all over stays so and an empty one stays empty.
Frame: (row, col) of the mask; lengths in micrometres.
"""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from pipeline.arrays import Bools, Int64s, Rgb
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tissue.mask_operations import (
    ROWS_AT_ONCE,
    Mask,
    closed,
    with_small_holes_filled,
    without_small_regions,
)
from pipeline.tiling.tissue.tissue_colours import (
    STAINED_HUES_DEG,
    all_colours,
    colour_counts,
    hue_between,
    palette,
)

CELLS_PER_TILE = 32
"""Mask cells along a tile's side: 0.1 % of its area each."""

CELLS_PER_SIDE = 256
"""Mask cells along an image's shorter side, for small images."""

LARGEST_HOLE_OF_TILE = 0.25
"""Share of a tile's area above which a hole is never filled: a tile must not be kept for a lumen."""

MAX_CELLS = 8_000_000
"""Cells to which a mask is refined; a larger slide keeps a coarser one, of at most ``mask_mpp``."""

BLUR_REACH = 4
"""Standard deviations after which a Gaussian is spent."""

GLASS_MIN_CHROMA, GLASS_MAX_DENSITY = 8.0, 0.12
"""Grey levels from which a tint matters, and optical density (base 10) to which glass may darken."""

LEAST_GLASS = 0.02
"""Share of a slide that one tint must have to be taken for its glass."""


def mask_mpp_for(width_um: float, height_um: float, slide_mpp: float, params: TilingParams) -> float:
    """Resolution of the mask, um/px.

    ``params.mask_mpp``, or finer where a tile would have fewer than ``CELLS_PER_TILE`` or
    the image fewer than ``CELLS_PER_SIDE`` cells on a side, but not finer than the slide
    nor of more than ``MAX_CELLS`` cells; never coarser than ``params.mask_mpp``.
    """
    wanted = min(params.tile_um / CELLS_PER_TILE, min(width_um, height_um) / CELLS_PER_SIDE)
    finest = max(slide_mpp, math.sqrt(width_um * height_um / MAX_CELLS))
    return min(params.mask_mpp, max(wanted, finest))


def smoothed(rgb: Rgb, sigma_px: float) -> Rgb:
    """``rgb`` (h, w, 3) under a Gaussian of SD ``sigma_px``, with its border continued."""
    if sigma_px <= 0:
        return rgb
    result = np.empty_like(rgb)
    reach = math.ceil(BLUR_REACH * sigma_px) + 1
    for top in range(0, len(rgb), ROWS_AT_ONCE):
        first = max(0, top - reach)
        strip = Image.fromarray(rgb[first : top + ROWS_AT_ONCE + reach])
        blurred = np.asarray(strip.filter(ImageFilter.GaussianBlur(sigma_px)))
        result[top : top + ROWS_AT_ONCE] = blurred[top - first : top - first + ROWS_AT_ONCE]
    return result


def without_glass_tint(rgb: Rgb) -> Rgb:
    """``rgb`` scaled so that tinted glass, if there is any, is white.

    Glass is taken to be the most frequent light colour whose hue no stain makes, since
    pale stroma must not be mistaken for it.
    """
    counts = colour_counts(rgb) * _can_be_glass()
    if counts.max() < LEAST_GLASS * rgb.shape[0] * rgb.shape[1]:
        return rgb
    glass = all_colours()[np.argmax(counts)]
    scale = np.rint(np.minimum(np.arange(256)[:, None] * 255.0 / glass, 255.0)).astype(np.uint8)
    return np.stack([scale[rgb[..., channel], channel] for channel in range(3)], axis=2)


@cache
def _can_be_glass() -> Bools:
    """Whether each colour of the palette is a tint of glass."""
    colours = palette()
    is_tinted = np.ptp(all_colours(), axis=1) >= GLASS_MIN_CHROMA
    is_light = colours.density < GLASS_MAX_DENSITY
    return np.asarray(is_tinted & is_light & ~hue_between(colours.hue_deg, *STAINED_HUES_DEG), np.bool_)


def tissue_mask(rgb: Rgb, cell_um: float, params: TilingParams, never: Mask | None = None) -> Mask:
    """Find tissue in a smoothed picture of ``cell_um`` micrometres per pixel.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3), smoothed by ``params.smoothing_um``.
    never
        bool (h, w), cells that cannot be tissue: under pen, or filled in; None where there are none.

    Returns
    -------
    bool (h, w)
    """
    possible = rgb.max(axis=2) >= params.black_below
    if never is not None:
        possible &= ~never
    tissue = closed(_coloured(rgb, possible, params), params.closing_um / cell_um)
    tissue &= possible
    cell_area_um2, tile_area_um2 = cell_um**2, params.tile_um**2
    largest_um2 = min(params.fill_holes_um2, LARGEST_HOLE_OF_TILE * tile_area_um2)
    tissue = with_small_holes_filled(tissue, largest_um2 / cell_area_um2)
    tissue &= possible
    least_um2 = min(params.min_region_area_um2, params.min_tissue_fraction * tile_area_um2)
    return without_small_regions(tissue, least_um2 / cell_area_um2)


def _coloured(rgb: Rgb, possible: Mask, params: TilingParams) -> Mask:
    """Cells of ``possible`` with more chroma than the threshold that these cells suggest."""
    chroma = rgb.max(axis=2)
    chroma -= rgb.min(axis=2)
    threshold = min(max(otsu_threshold(_histogram(chroma, possible)), params.chroma_low), params.chroma_high)
    return np.asarray((chroma > threshold) & possible, np.bool_)


def otsu_threshold(counts: Int64s) -> float:
    """Threshold that maximises the variance between the two classes (Otsu 1979).

    Parameters
    ----------
    counts
        How often each of the levels 0, 1, 2 ... occurs.

    Returns
    -------
    Values above it are the upper class.  Where one class is empty, 0.
    """
    level = np.arange(len(counts), dtype=np.float64)
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


def _histogram(values: npt.NDArray[np.uint8], where: Mask) -> Int64s:
    """How often each of 256 levels occurs ``where`` is true."""
    counts = np.zeros(256, np.int64)
    for top in range(0, len(values), ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        counts += np.bincount(values[rows][where[rows]], minlength=256)
    return counts
