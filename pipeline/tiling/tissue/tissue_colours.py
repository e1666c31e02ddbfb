"""What a colour on a slide can be: tissue, pen ink, pigment.

Colours are judged by optical density, hue and saturation in the chromaticity plane of
van der Laak et al. (2000, Cytometry 39:275-284), in which the amount of a stain changes
neither hue nor saturation.  Haematoxylin lies at 66 degrees and eosin at 122 (vectors of
Ruifrok and Johnston 2001); smoothed H&E of eight collections keeps within ``STAINED_HUES_DEG``.
A slide has millions of cells but 262,144 colours of six bits a channel, so a rule is
evaluated once for each of these and looked up.
"""

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Bools, Float64s, Int32s, Int64s, Rgb
from pipeline.tiling.tissue.mask_operations import ROWS_AT_ONCE, Mask

Value = TypeVar("Value", np.bool_, np.uint8)

BITS = 6
"""Bits of a channel that tell colours apart."""

N_COLOURS = 1 << 3 * BITS

STAINED_HUES_DEG = (45.0, 185.0)
"""Hues of smoothed tissue stained with haematoxylin and eosin, blood among it."""

DENSITY_GUARD = 1e-6
"""Guard: white has no hue."""


@dataclass(frozen=True)
class Hsd:
    """Density, hue and saturation of colours, float64 of one shape.

    Attributes
    ----------
    density
        Mean optical density (base 10) of red, green and blue.
    hue_deg
        Angle in the chromaticity plane, 0 to 360: 0 absorbs red alone, 120 green, 240 blue.
    saturation
        Distance from grey in that plane; 0 for grey, 2 at most.
    """

    density: Float64s
    hue_deg: Float64s
    saturation: Float64s


def hsd(rgb: Float64s) -> Hsd:
    """Density, hue and saturation of ``rgb`` (..., 3), 0 to 255, against white."""
    channels = -np.log10(np.clip(rgb, 1.0, 255.0) / 255.0)
    density = channels.mean(axis=-1)
    guarded = np.maximum(density, DENSITY_GUARD)
    x = channels[..., 0] / guarded - 1.0
    y = (channels[..., 1] - channels[..., 2]) / (np.sqrt(3.0) * guarded)
    return Hsd(density, np.degrees(np.arctan2(y, x)) % 360.0, np.hypot(x, y))


def all_colours() -> Float64s:
    """Middle of every colour that ``colour_index`` tells apart, in its order, (N_COLOURS, 3), 0 to 255."""
    levels = (np.arange(1 << BITS) + 0.5) * (1 << 8 - BITS) - 0.5
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return np.asarray(grid.reshape(-1, 3), np.float64)


@cache
def palette() -> Hsd:
    """Density, hue and saturation of ``all_colours``."""
    return hsd(all_colours())


def colour_index(rgb: Rgb) -> Int32s:
    """Position of each pixel's colour in ``all_colours``, (h, w) of uint8 (h, w, 3)."""
    reduced = rgb >> (8 - BITS)
    index = reduced[..., 0].astype(np.int32)
    for channel in (1, 2):
        index <<= BITS
        index |= reduced[..., channel]
    return index


def hue_between(hue_deg: Float64s, low: float, high: float) -> Bools:
    """Whether a hue lies in [low, high), which may run through 360."""
    return np.asarray((hue_deg - low) % 360.0 < high - low)


def looked_up(table: npt.NDArray[Value], rgb: Rgb) -> npt.NDArray[Value]:
    """Entry of ``table`` (N_COLOURS,) for each pixel, (h, w)."""
    result = np.empty(rgb.shape[:2], table.dtype)
    for top in range(0, len(rgb), ROWS_AT_ONCE):
        result[top : top + ROWS_AT_ONCE] = table[colour_index(rgb[top : top + ROWS_AT_ONCE])]
    return result


def colour_counts(rgb: Rgb, where: Mask | None = None) -> Int64s:
    """How many pixels have each colour, (N_COLOURS,); only those ``where`` is true."""
    counts = np.zeros(N_COLOURS, np.int64)
    for top in range(0, len(rgb), ROWS_AT_ONCE):
        rows = slice(top, top + ROWS_AT_ONCE)
        index = colour_index(rgb[rows])
        counts += np.bincount(index.ravel() if where is None else index[where[rows]], minlength=N_COLOURS)
    return counts
