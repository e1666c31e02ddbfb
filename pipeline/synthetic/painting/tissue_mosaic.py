"""Tissue in square tiles, each with a look of its own.

Frame: micrometres, origin at the picture's top-left corner, y down; tiles are (row, col)
squares from there, listed row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.synthetic.painting.placement import NucleusShape, TissueLayout, place_nuclei
from pipeline.synthetic.painting.texture import Canvas
from pipeline.synthetic.painting.tissue import LAYOUT_CELL_UM, PaintedTissue, TissueSpec, paint_placed_nuclei

BORDER_UM = 1.5
"""Least distance of a nucleus' centre from the border of its tile, so that nuclei of two tiles rarely touch."""


@dataclass(frozen=True)
class TileLook:
    """Nuclei of one tile.

    Attributes
    ----------
    nuclei_per_mm2
        Density.
    shape
        Sizes and forms.
    axis_rad, kappa
        Mean axis in [0, pi) and axial concentration about it (0 = every direction alike).
    """

    nuclei_per_mm2: float
    shape: NucleusShape
    axis_rad: float
    kappa: float


def paint_mosaic(
    looks: Sequence[TileLook], n_cols: int, tile_um: float, spec: TissueSpec, *, mpp: float, rng: np.random.Generator
) -> PaintedTissue:
    """Paint tiles beside each other in one stroma and one stain.

    Parameters
    ----------
    looks
        Row by row, ``n_cols`` a row, whole rows.
    tile_um
        Side of a tile.
    spec
        Stain, stroma and optics; what it says of nuclei is not looked at.
    mpp
        um per pixel of the picture.
    """
    side_px = round(tile_um / mpp)
    canvas = Canvas(n_cols * side_px, len(looks) // n_cols * side_px, mpp)
    nuclei = []
    for number, look in enumerate(looks):
        row, col = divmod(number, n_cols)
        nuclei.append(_moved(_nuclei_of_tile(look, tile_um, rng), col * tile_um, row * tile_um))
    return paint_placed_nuclei(pd.concat(nuclei, ignore_index=True), everywhere(canvas), spec, canvas, rng)


def _nuclei_of_tile(look: TileLook, tile_um: float, rng: np.random.Generator) -> pd.DataFrame:
    """Nuclei whose centres lie in one tile, columns of ``place_nuclei``, from the tile's corner."""
    inner_um = tile_um - 2 * BORDER_UM
    plain = everywhere(Canvas(1, 1, inner_um))
    layout = TissueLayout(
        plain.cell_um,
        plain.tissue,
        np.full(plain.tissue.shape, look.axis_rad),
        np.full(plain.tissue.shape, look.kappa),
    )
    # The density is that of the whole tile, though centres keep off its border and cells need not fill it.
    density = look.nuclei_per_mm2 * tile_um**2 / (plain.tissue.size * plain.cell_um**2)
    placed = place_nuclei(
        layout, look.shape, nuclei_per_mm2=density, clustering=0.0, extent_um=(inner_um, inner_um), rng=rng
    )
    return _moved(placed, BORDER_UM, BORDER_UM)


def _moved(nuclei_um: pd.DataFrame, right_um: float, down_um: float) -> pd.DataFrame:
    return nuclei_um.assign(x_um=nuclei_um["x_um"] + right_um, y_um=nuclei_um["y_um"] + down_um)


def everywhere(canvas: Canvas) -> TissueLayout:
    """Layout without borders, openings or order."""
    cols, rows = (int(np.ceil(round(size / LAYOUT_CELL_UM, 6))) for size in (canvas.width_um, canvas.height_um))
    nothing = np.zeros((rows, cols))
    return TissueLayout(LAYOUT_CELL_UM, np.ones((rows, cols), bool), nothing, nothing)
