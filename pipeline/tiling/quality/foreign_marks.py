"""Pen marks, folds and foreign colours on a small picture of the slide.

Frame: (row, col) of the mask.  What is found is a region, wide enough for a disc of
``LEAST_WIDTH_UM``, never a speck or the rim of something else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Bools, Float64s, Int64s, Rgb
from pipeline.artefacts.tiles import PEN_COLUMNS
from pipeline.tiling.tissue.mask_operations import Mask, grown, opened
from pipeline.tiling.tissue.tissue_colours import (
    N_COLOURS,
    STAINED_HUES_DEG,
    Hsd,
    all_colours,
    colour_counts,
    hue_between,
    looked_up,
    palette,
)

LEAST_WIDTH_UM = 24.0
"""Narrower marks are specks of pigment or blurred rims; a pen's tip is 300 um and more."""

PEN_RIM_UM = 24.0
"""Width of the pale rim of a stroke, which is no tissue either."""


@dataclass(frozen=True)
class ColourRule:
    """Colours by hue in degrees, saturation and optical density, each in [low, high)."""

    hue_deg: tuple[float, float] = (0.0, 360.0)
    saturation: tuple[float, float] = (0.0, np.inf)
    density: tuple[float, float] = (0.0, np.inf)

    def holds(self, colours: Hsd) -> Bools:
        """Whether each of ``colours`` obeys, of their shape."""
        of_hue = hue_between(colours.hue_deg, *self.hue_deg)
        for value, (low, high) in ((colours.saturation, self.saturation), (colours.density, self.density)):
            of_hue &= (value >= low) & (value < high)
        return of_hue


INKS: Mapping[str, tuple[ColourRule, ...]] = {
    # Blood has the hue of red ink; only its density is less, about 0.35 on sections of 4 um.
    "qc_pen_red": (
        ColourRule((150.0, 195.0), (0.80, np.inf), (0.42, np.inf)),
        ColourRule((163.0, 195.0), (0.35, np.inf), (0.50, np.inf)),
    ),
    "qc_pen_green": (
        ColourRule((255.0, 360.0), (0.30, np.inf), (0.12, np.inf)),
        ColourRule((255.0, 360.0), (0.20, np.inf), (0.30, np.inf)),
    ),
    # Blue ink over eosin is violet; tissue as dense as both together is not so blue.
    "qc_pen_blue": (
        ColourRule((0.0, 45.0), (0.30, np.inf), (0.15, np.inf)),
        ColourRule((0.0, 45.0), (0.20, np.inf), (0.30, np.inf)),
        ColourRule((45.0, 56.0), (0.30, np.inf), (0.45, np.inf)),
        ColourRule((56.0, 80.0), (0.30, np.inf), (0.70, np.inf)),
    ),
    # Tissue keeps some of its colour under black ink.
    "qc_pen_black": (
        ColourRule(saturation=(0.0, 0.12), density=(0.20, np.inf)),
        ColourRule(saturation=(0.0, 0.22), density=(0.30, np.inf)),
        ColourRule(saturation=(0.0, 0.35), density=(0.70, np.inf)),
    ),
}
"""An ink obeys one of its rules.

Chosen on 382 real H&E images and slides, so that ink is found in three of the four that show it (in
the fourth it is narrower than ``LEAST_WIDTH_UM``) and in no other; ``benchmarks/tile_quality.py``
prints what is found of painted strokes.
"""

OFF_STAIN = ColourRule((STAINED_HUES_DEG[1], STAINED_HUES_DEG[0] + 360.0), (0.20, np.inf), (0.12, np.inf))

FOLD_RATIO = 1.5
"""Density of doubled tissue over the slide's median tissue: less than 2, since pale tissue folds too."""

FOLD_LEAST_DENSITY = 0.34
"""Optical density (base 10) below which even doubled tissue can be seen through and segmented."""

FOLD_HUE_TOLERANCE_DEG = 8.0
"""A fold keeps the hue of the tissue it is made of; crowded nuclei are bluer than that by more."""


def find_ink(rgb: Rgb, cell_um: float, black_below: float) -> dict[str, Mask]:
    """Regions under pen by column of the tile table, only those found.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3), smoothed, ``cell_um`` micrometres per pixel.
    black_below
        Where all channels are below, the scanner filled in; that is no pen.
    """
    inks = looked_up(_ink_table(black_below), rgb)
    pens = {
        column: opened(inks == number, LEAST_WIDTH_UM / 2 / cell_um)
        for number, column in enumerate(PEN_COLUMNS, start=1)
        if (inks == number).any()
    }
    return {column: mask for column, mask in pens.items() if mask.any()}


@cache
def _ink_table(black_below: float) -> npt.NDArray[np.uint8]:
    """Number of the ink that each colour of the palette is, 1 for the first of ``PEN_COLUMNS``; 0 for none."""
    table = np.zeros(N_COLOURS, np.uint8)
    for number, column in enumerate(PEN_COLUMNS, start=1):
        for rule in INKS[column]:
            table[rule.holds(palette())] = number
    table[all_colours().max(axis=1) < black_below] = 0
    return table


@cache
def _off_stain_table() -> Bools:
    return OFF_STAIN.holds(palette())


def with_rim(ink: Mapping[str, Mask], cell_um: float) -> Mask | None:
    """Cells under pen of any colour and its pale rim; None where there is no pen."""
    if not ink:
        return None
    return grown(np.logical_or.reduce(list(ink.values())), PEN_RIM_UM / cell_um)


def find_folds(rgb: Rgb, tissue: Mask, cell_um: float) -> Mask:
    """Tissue that lies double: about twice as dense as the slide's median and of no bluer hue.

    Parameters
    ----------
    rgb, tissue
        uint8 (h, w, 3), smoothed, and bool (h, w).
    """
    counts = colour_counts(rgb, tissue)
    if not counts.any():
        return np.zeros_like(tissue)
    colours = palette()
    usual_density, usual_hue = (_weighted_median(value, counts) for value in (colours.density, colours.hue_deg))
    is_dense = colours.density >= max(FOLD_RATIO * usual_density, FOLD_LEAST_DENSITY)
    is_alike = hue_between(colours.hue_deg, usual_hue - FOLD_HUE_TOLERANCE_DEG, STAINED_HUES_DEG[1])
    return _regions(looked_up(is_dense & is_alike, rgb) & tissue, cell_um)


def find_off_stain(rgb: Rgb, tissue: Mask, cell_um: float) -> Mask:
    """Tissue of a colour that haematoxylin, eosin and blood do not make; shapes as in ``find_folds``."""
    return _regions(looked_up(_off_stain_table(), rgb) & tissue, cell_um)


def _regions(mask: Mask, cell_um: float) -> Mask:
    return opened(mask, LEAST_WIDTH_UM / 2 / cell_um)


def _weighted_median(values: Float64s, counts: Int64s) -> float:
    present = np.flatnonzero(counts)
    order = present[np.argsort(values[present], kind="stable")]
    cumulative = np.cumsum(counts[order])
    return float(values[order[np.searchsorted(cumulative, cumulative[-1] / 2)]])
