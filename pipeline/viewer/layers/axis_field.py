"""Axes of many nuclei as a field: their mean axis and number in the cells of a grid, coarser from level to level."""

from typing import Any

import numpy as np

from pipeline.arrays import Float64s
from pipeline.viewer.layers.spatial_index import Box, SpatialIndex

FEWEST_CELLS = 4
"""Cells along a side at which coarsening ends."""


class AxisField:
    """Sums over cells from which means of any level follow.

    A cell holds the number of nuclei and the sums of cos 2a and sin 2a of their axes a, each weighted by how far its
    axis means anything: the mean axis is half the angle of that sum, and its agreement the sum's length over the
    number (Mardia and Jupp 2000, axial data).

    Parameters
    ----------
    index
        Places of the nuclei.
    orientation_rad, reliability
        float64 (n,); NaN counts a nucleus without an axis.
    """

    def __init__(self, index: SpatialIndex, orientation_rad: Float64s, reliability: Float64s) -> None:
        self._index = index
        weight = np.where(np.isnan(orientation_rad), 0.0, np.nan_to_num(reliability))
        doubled = 2 * np.nan_to_num(orientation_rad)
        values = (np.ones_like(weight), weight * np.cos(doubled), weight * np.sin(doubled))
        n_cells = index.n_rows * index.n_cols
        sums = [np.bincount(index.cell_of, value, n_cells).reshape(index.n_rows, index.n_cols) for value in values]
        self._levels: list[Float64s] = [np.stack(sums, axis=-1)]
        while max(self._levels[-1].shape[:2]) > FEWEST_CELLS:
            self._levels.append(_halved(self._levels[-1]))

    def in_box(self, box: Box, most_cells: int) -> dict[str, Any]:
        """Cells that meet a box and hold a nucleus, of the finest level that has at most ``most_cells`` of them.

        Returns
        -------
        ``side`` of a cell, and by cell its middle ``x``, ``y`` (all um), number ``n``, ``axis`` (rad) and
        ``agreement`` (0 to 1).
        """
        top, bottom, left, right = self._index.cells_in(box)
        level = 0
        while level < len(self._levels) - 1 and ((bottom - top) >> level) * ((right - left) >> level) > most_cells:
            level += 1
        rows, cols = slice(top >> level, -(-bottom >> level)), slice(left >> level, -(-right >> level))
        sums = self._levels[level][rows, cols]
        row, col = np.nonzero(sums[..., 0])
        n, cosine, sine = sums[row, col].T
        side = self._index.cell * 2**level
        x, y = self._index.origin
        return {
            "side": side,
            "x": x + (col + cols.start + 0.5) * side,
            "y": y + (row + rows.start + 0.5) * side,
            "n": n,
            "axis": (np.arctan2(sine, cosine) / 2) % np.pi,
            "agreement": np.hypot(cosine, sine) / n,
        }


def _halved(sums: Float64s) -> Float64s:
    rows, cols = sums.shape[:2]
    even = np.pad(sums, ((0, rows % 2), (0, cols % 2), (0, 0)))
    halved: Float64s = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).sum(axis=(1, 3))
    return halved
