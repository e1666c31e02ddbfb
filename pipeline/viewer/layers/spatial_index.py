"""Points of a slide by place: those in a box are found without a look at all others.

Frame: micrometres, origin at the slide's top-left corner, y down; boxes are (x0, y0, x1, y1), half-open.
"""

import numpy as np

from pipeline.arrays import Float64s, Int64s

Box = tuple[float, float, float, float]


class SpatialIndex:
    """Points sorted by the cell of a square grid that holds them, rows of cells one after the other.

    Parameters
    ----------
    points
        float64 (n, 2).
    cell
        Side of a cell.

    Attributes
    ----------
    n_rows, n_cols
        Cells of the grid, from its ``origin``.
    """

    def __init__(self, points: Float64s, cell: float) -> None:
        self.cell, self._points = cell, points
        self.origin: Float64s = points.min(axis=0) if len(points) else np.zeros(2)
        place = ((points - self.origin) // cell).astype(np.int64)
        self.n_cols, self.n_rows = map(int, place.max(axis=0) + 1) if len(points) else (0, 0)
        self.cell_of: Int64s = place[:, 1] * self.n_cols + place[:, 0]
        self._order: Int64s = np.argsort(self.cell_of, kind="stable")
        self._starts: Int64s = np.searchsorted(self.cell_of[self._order], np.arange(self.n_rows * self.n_cols + 1))

    def cells_in(self, box: Box) -> tuple[int, int, int, int]:
        """First and end of the rows, first and end of the columns of cells that meet a box."""
        low = np.floor((np.array(box[:2]) - self.origin) / self.cell)
        high = np.ceil((np.array(box[2:]) - self.origin) / self.cell)
        (left, top), (right, bottom) = np.clip([low, high], 0, [self.n_cols, self.n_rows]).astype(np.int64)
        return int(top), int(bottom), int(left), int(right)

    def count_about(self, box: Box) -> int:
        """Points of the cells that meet a box: those in it, and some beyond its rim."""
        top, bottom, left, right = self.cells_in(box)
        firsts = np.arange(top, bottom) * self.n_cols
        return int((self._starts[firsts + right] - self._starts[firsts + left]).sum()) if right > left else 0

    def points_in(self, box: Box) -> Int64s:
        """Rows (k,) of the points in a box, in order."""
        top, bottom, left, right = self.cells_in(box)
        parts = [
            self._order[self._starts[row * self.n_cols + left] : self._starts[row * self.n_cols + right]]
            for row in range(top, bottom)
            if right > left
        ]
        near = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        points = self._points[near]
        inside: Int64s = np.sort(near[((points >= box[:2]) & (points < box[2:])).all(axis=1)])
        return inside
