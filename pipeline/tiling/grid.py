"""The grid of tiles and what tissue each holds.

Frame: level-0 pixels, (x, y), origin at the slide's top-left corner, y down.  The pitch
``tile_px * mpp / slide_mpp`` is not rounded, corners are, so a tile's physical size is
exact and rounding never adds up.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.tiling.params import TilingParams
from pipeline.units import l0_from_px

WHOLE_TILE_TOLERANCE = 1e-6
"""Guard: a slide of n tiles less rounding has n tiles."""

SHARE_TOLERANCE = 1e-9
"""Guard: a share computed as 0.15 less rounding reaches 0.15."""

OUTSIDE_MASK = "outside the mask"


@dataclass(frozen=True)
class TileShares:
    """Shares of each tile's area, float64 (n_tiles,), 0 to 1.

    Attributes
    ----------
    tissue
        Tissue.
    inside
        Inside the mask drawn by hand; 1 where there is none.
    usable
        Tissue inside that mask.
    """

    tissue: npt.NDArray[np.float64]
    inside: npt.NDArray[np.float64]
    usable: npt.NDArray[np.float64]


def make_grid(width_l0: int, height_l0: int, slide_mpp: float, params: TilingParams) -> pd.DataFrame:
    """Tiles of a slide in reading order.

    Returns
    -------
    DataFrame with tile_id, x_l0, y_l0, width_l0, tile_px, mpp, row, col; see
    ``pipeline.artefacts.tiles.COLUMNS``.
    """
    pitch = l0_from_px(params.tile_px, params.mpp, slide_mpp)
    n_cols, n_rows = _count(width_l0 / pitch, params), _count(height_l0 / pitch, params)
    row, col = (axis.ravel() for axis in np.indices((n_rows, n_cols)))
    return pd.DataFrame(
        {
            "tile_id": np.arange(n_rows * n_cols, dtype=np.int64),
            "x_l0": np.rint(col * pitch).astype(np.int64),
            "y_l0": np.rint(row * pitch).astype(np.int64),
            "width_l0": np.float64(pitch),
            "tile_px": np.int64(params.tile_px),
            "mpp": np.float64(params.mpp),
            "row": row.astype(np.int64),
            "col": col.astype(np.int64),
        }
    )


def _count(tiles: float, params: TilingParams) -> int:
    if params.edge == "skip":
        return math.floor(tiles + WHOLE_TILE_TOLERANCE)
    return math.ceil(tiles - WHOLE_TILE_TOLERANCE)


def area_fraction(
    mask: npt.NDArray[np.bool_], grid: pd.DataFrame, *, width_l0: int, height_l0: int
) -> npt.NDArray[np.float64]:
    """Share of each tile's area that ``mask`` covers, (n_tiles,), 0 to 1; nothing beyond the slide.

    The mask's cells part the whole slide; areas are exact for cells cut by a tile's
    border, since the integral image is linear within a cell.
    """
    rows, cols = mask.shape
    integral = np.zeros((rows + 1, cols + 1))
    integral[1:, 1:] = mask.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    side_l0 = grid["width_l0"].to_numpy()
    x0, y0 = grid["x_l0"].to_numpy(np.float64), grid["y_l0"].to_numpy(np.float64)
    across, down = cols / width_l0, rows / height_l0
    left, right = x0 * across, (x0 + side_l0) * across
    top, bottom = y0 * down, (y0 + side_l0) * down
    covered = (
        _interpolated(integral, bottom, right)
        - _interpolated(integral, top, right)
        - _interpolated(integral, bottom, left)
        + _interpolated(integral, top, left)
    )
    return np.asarray(np.clip(covered / (side_l0**2 * across * down), 0.0, 1.0), np.float64)


def _interpolated(
    integral: npt.NDArray[np.float64], row: npt.NDArray[np.float64], col: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Integral image at fractional corners, bilinear; beyond the border as at the border."""
    row, col = row.clip(0, integral.shape[0] - 1), col.clip(0, integral.shape[1] - 1)
    r = np.minimum(row.astype(np.intp), integral.shape[0] - 2)
    c = np.minimum(col.astype(np.intp), integral.shape[1] - 2)
    v, u = row - r, col - c
    upper = integral[r, c] * (1 - u) + integral[r, c + 1] * u
    lower = integral[r + 1, c] * (1 - u) + integral[r + 1, c + 1] * u
    return np.asarray(upper * (1 - v) + lower * v, np.float64)


def judge_tiles(grid: pd.DataFrame, tissue: TileShares, *, min_tissue_fraction: float) -> pd.DataFrame:
    """Add the columns tissue_fraction (the usable share), kept and reason to a grid."""
    least = min_tissue_fraction - SHARE_TOLERANCE
    kept = (tissue.usable >= least) & (tissue.inside > 0)
    reasons = np.select(
        [kept, (tissue.inside == 0) | (tissue.tissue >= least), tissue.tissue == 0],
        ["", OUTSIDE_MASK, "no tissue"],
        f"tissue fraction below {min_tissue_fraction:g}",
    )
    return grid.assign(tissue_fraction=tissue.usable, kept=kept, reason=reasons.astype(object))
