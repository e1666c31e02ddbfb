"""The grid of tiles and what share of each a mask covers.

Frame: level-0 pixels, (x, y), origin at the slide's top-left corner, y down.  The stride
``(tile_px - overlap_px) * mpp / slide_mpp`` is not rounded, corners are, so a tile's
physical size is exact and rounding never adds up.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s, Int32s, Int64s
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tissue.mask_operations import Mask
from pipeline.units import l0_from_px

WHOLE_TILE_TOLERANCE = 1e-6
"""Guard: a slide of n tiles less rounding has n tiles."""


@dataclass(frozen=True)
class SlideSize:
    """Width and height of level 0 in pixels."""

    width_l0: int
    height_l0: int


def make_grid(size: SlideSize, slide_mpp: float, params: TilingParams) -> pd.DataFrame:
    """Tiles of a slide in reading order.

    With ``shift`` the last column and row move inwards until they end at the border; a
    slide smaller than a tile cannot hold one, so its tile is padded.

    Returns
    -------
    DataFrame with tile_id, x_l0, y_l0, width_l0, tile_px, mpp, row, col; see
    ``pipeline.artefacts.tiles.COLUMNS``.
    """
    x, y = (_starts(length, slide_mpp, params) for length in (size.width_l0, size.height_l0))
    return tiles_at(x, y, slide_mpp, params)


def tiles_at(x_l0: Int64s, y_l0: Int64s, slide_mpp: float, params: TilingParams) -> pd.DataFrame:
    """Tiles of columns (n,) and rows (m,) that begin at these level-0 pixels, as ``make_grid`` returns them."""
    row, col = (axis.ravel() for axis in np.indices((len(y_l0), len(x_l0))))
    return pd.DataFrame(
        {
            "tile_id": np.arange(len(row), dtype=np.int64),
            "x_l0": x_l0[col],
            "y_l0": y_l0[row],
            "width_l0": np.float64(l0_from_px(params.tile_px, params.mpp, slide_mpp)),
            "tile_px": np.int64(params.tile_px),
            "mpp": np.float64(params.mpp),
            "row": row.astype(np.int64),
            "col": col.astype(np.int64),
        }
    )


def _starts(length_l0: int, slide_mpp: float, params: TilingParams) -> Int64s:
    """First pixels of the tiles along one axis."""
    side = l0_from_px(params.tile_px, params.mpp, slide_mpp)
    stride = l0_from_px(params.tile_px - params.overlap_px, params.mpp, slide_mpp)
    steps = (length_l0 - side) / stride
    is_whole = params.edge == "skip"
    last = math.floor(steps + WHOLE_TILE_TOLERANCE) if is_whole else max(0, math.ceil(steps - WHOLE_TILE_TOLERANCE))
    starts: Int64s = np.rint(np.arange(last + 1) * stride).astype(np.int64)
    if params.edge == "shift":
        starts[-1] = min(starts[-1], max(0, math.floor(length_l0 - side + WHOLE_TILE_TOLERANCE)))
    return starts


def area_fraction(mask: Mask, grid: pd.DataFrame, size: SlideSize) -> Float64s:
    """Share of each tile's area that ``mask`` covers, (n_tiles,), 0 to 1; nothing beyond the slide.

    The mask's cells part the whole slide; areas are exact for cells cut by a tile's
    border, since the integral image is linear within a cell.
    """
    if grid.empty or not mask.any():
        return np.zeros(len(grid))
    rows, cols = mask.shape
    integral = _integral_image(mask)
    side_l0 = grid["width_l0"].to_numpy()
    x0, y0 = grid["x_l0"].to_numpy(np.float64), grid["y_l0"].to_numpy(np.float64)
    across, down = cols / size.width_l0, rows / size.height_l0
    left, right = x0 * across, (x0 + side_l0) * across
    top, bottom = y0 * down, (y0 + side_l0) * down
    covered = (
        _interpolated(integral, bottom, right)
        - _interpolated(integral, top, right)
        - _interpolated(integral, bottom, left)
        + _interpolated(integral, top, left)
    )
    return np.asarray(np.clip(covered / (side_l0**2 * across * down), 0.0, 1.0), np.float64)


def _integral_image(mask: Mask) -> Int32s:
    """Cells of ``mask`` above and left of each corner, (rows + 1, cols + 1)."""
    integral = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int32)
    # Row by row, because accumulating a whole axis in place makes numpy copy the array.
    for row, cells in enumerate(mask, start=1):
        np.cumsum(cells, dtype=np.int32, out=integral[row, 1:])
        integral[row] += integral[row - 1]
    return integral


def _interpolated(integral: Int32s, row: Float64s, col: Float64s) -> Float64s:
    """Integral image at fractional corners, bilinear; beyond the border as at the border."""
    row, col = row.clip(0, integral.shape[0] - 1), col.clip(0, integral.shape[1] - 1)
    r = np.minimum(row.astype(np.intp), integral.shape[0] - 2)
    c = np.minimum(col.astype(np.intp), integral.shape[1] - 2)
    v, u = row - r, col - c
    upper = integral[r, c] * (1 - u) + integral[r, c + 1] * u
    lower = integral[r + 1, c] * (1 - u) + integral[r + 1, c + 1] * u
    return np.asarray(upper * (1 - v) + lower * v, np.float64)
