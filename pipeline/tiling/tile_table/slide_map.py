"""What a small picture of the slide tells of it, cell by cell, and then tile by tile.

Frame: (row, col) of cells that part the whole slide; boxes are level-0 pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s, Rgb
from pipeline.artefacts.tiles import PEN_COLUMNS, QC_COLUMNS
from pipeline.errors import OnBadTile
from pipeline.slides.filling import filled_in, with_white_filling
from pipeline.slides.reader import SlideReader
from pipeline.slides.source import Box
from pipeline.tiling.grid.tile_grid import SlideSize, area_fraction
from pipeline.tiling.grid.tile_rejection import undecided
from pipeline.tiling.params import TilingParams
from pipeline.tiling.polygons.polygon_mask import read_polygon_mask
from pipeline.tiling.quality.foreign_marks import find_folds, find_ink, find_off_stain, with_rim
from pipeline.tiling.tissue.mask_operations import Mask
from pipeline.tiling.tissue.tissue_mask import mask_mpp_for, smoothed, tissue_mask, without_glass_tint

DARK = 64
"""Grey level that glass and tissue exceed on any slide; 14-bit samples in 16 bits reach 63."""

GREY_SPREAD = 4
"""Most that channels differ by, in grey levels, where there is no colour; what JPEG leaves."""

BORDER = 3
"""Pixels of the picture into which the white beyond the slide may reach when it is made smaller: Lanczos's support."""

MIDDLING, LEAST_MIDDLING = (40, 215), 0.001
"""Grey levels between filling and glass, and the least share of a picture that has them where it shows something."""


@dataclass(frozen=True)
class SlideMap:
    """Masks of one slide, bool (rows, cols).

    Attributes
    ----------
    size
        Of the slide.
    tissue
        Tissue, pens left out.
    inside
        Inside the mask drawn by hand; None where there is none.
    unreadable
        Where the picture could not be read; None where all of it could.
    quality
        By column of the tile table: pens, folds, foreign colours.  What is not there was not found.
    oddity
        Why the picture cannot show tissue by its colours, a clause; None where it can.
    """

    size: SlideSize
    tissue: Mask
    inside: Mask | None = None
    unreadable: Mask | None = None
    quality: Mapping[str, Mask] = field(default_factory=dict)
    oddity: str | None = None

    @property
    def usable(self) -> Mask:
        """Tissue inside the mask drawn by hand."""
        return self.tissue if self.inside is None else self.tissue & self.inside

    def share(self, mask: Mask | None, tiles: pd.DataFrame) -> Float64s:
        """Share (n_tiles,) of each tile's area under ``mask``; 0 where there is none."""
        return np.zeros(len(tiles)) if mask is None else area_fraction(mask, tiles, self.size)


def map_slide(
    slide: SlideReader, params: TilingParams, *, mask_path: str | Path | None = None, on_bad_tile: OnBadTile = "stop"
) -> SlideMap:
    """Find tissue, pens, folds and foreign colours on a picture of the slide.

    Raises
    ------
    UnreadableRegionError
        If the picture cannot be read and ``on_bad_tile`` is ``stop``.
    SheetError
        If the mask cannot be read.
    """
    size = SlideSize(slide.width_l0, slide.height_l0)
    bad_boxes: list[Box] = []
    mpp = mask_mpp_for(size.width_l0 * slide.mpp, size.height_l0 * slide.mpp, slide.mpp, params)
    rgb = slide.thumbnail(mpp, on_unreadable=None if on_bad_tile == "stop" else bad_boxes.append)
    oddity = _oddity(rgb)
    cell_um = size.width_l0 * slide.mpp / rgb.shape[1]
    filled = filled_in(rgb, cell_um)
    rgb = without_glass_tint(smoothed(with_white_filling(rgb, filled), params.smoothing_um / cell_um))
    ink = find_ink(rgb, cell_um, params.black_below) if params.qc_max_pen < 1 else {}
    tissue = tissue_mask(rgb, cell_um, params, _union(with_rim(ink, cell_um), filled))
    quality = dict(ink)
    if params.qc_max_fold < 1:
        quality["qc_fold"] = find_folds(rgb, tissue, cell_um)
    if params.qc_max_off_stain < 1:
        quality["qc_off_stain"] = find_off_stain(rgb, tissue, cell_um)
    shape, origin_l0 = (rgb.shape[0], rgb.shape[1]), slide.bounds_l0[:2]
    inside = None if mask_path is None else read_polygon_mask(mask_path, size, shape=shape, origin_l0=origin_l0)
    unreadable = _cells(bad_boxes, size, shape) if bad_boxes else None
    return SlideMap(size, tissue, inside, unreadable, quality, oddity)


def _oddity(rgb: Rgb) -> str | None:
    """Why no tissue can be told from glass on a picture of the slide."""
    inner = rgb[BORDER:-BORDER, BORDER:-BORDER] if min(rgb.shape[:2]) > 2 * BORDER else rgb
    brightest = int(inner.max())
    if brightest <= DARK:
        return f"the picture is black, at most {brightest} of 255, as of samples that fill only part of their range"
    is_middling = (rgb.max(axis=2) > MIDDLING[0]) & (rgb.min(axis=2) < MIDDLING[1])
    if np.ptp(rgb, axis=2).max() <= GREY_SPREAD and is_middling.mean() > LEAST_MIDDLING:
        return "the picture is grey, and tissue is told from glass and ink by its colours"
    return None


def _union(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _cells(boxes_l0: list[Box], size: SlideSize, shape: tuple[int, int]) -> Mask:
    """Cells that level-0 boxes (x, y, width, height) cover."""
    covered = np.zeros(shape, np.bool_)
    down, across = shape[0] / size.height_l0, shape[1] / size.width_l0
    for x, y, width, height in boxes_l0:
        rows = slice(round(y * down), max(round((y + height) * down), round(y * down) + 1))
        covered[rows, round(x * across) : max(round((x + width) * across), round(x * across) + 1)] = True
    return covered


def with_quality(
    tiles: pd.DataFrame, slide_map: SlideMap, columns: tuple[str, ...], params: TilingParams
) -> pd.DataFrame:
    """``tiles`` with the shares of ``columns`` for those not dropped so far; NaN where the check is off."""
    is_on = {**dict.fromkeys(PEN_COLUMNS, params.qc_max_pen < 1)}
    is_on |= {"qc_fold": params.qc_max_fold < 1, "qc_off_stain": params.qc_max_off_stain < 1}
    measured = undecided(tiles)
    return tiles.assign(
        **{
            column: np.where(measured, slide_map.share(slide_map.quality.get(column), tiles), np.nan)
            for column in columns
            if is_on[column]
        }
    )


def unmeasured(grid: pd.DataFrame) -> pd.DataFrame:
    """``grid`` with the columns of quality, all NaN, and no reason yet."""
    return grid.assign(tissue_fraction=0.0, **dict.fromkeys(QC_COLUMNS, np.nan), reason="")
