"""Nuclei of a slide by region: outlined where few are in view, as a field of axes where many are."""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.nuclei import TYPE, read_nuclei_columns
from pipeline.pictures import type_colour
from pipeline.viewer.layers.axis_field import AxisField
from pipeline.viewer.layers.spatial_index import Box, SpatialIndex

CELL_UM = 64.0
"""Side of a cell of the index, and of the finest cell of the field of axes."""

MOST_OUTLINED = 3000
"""Nuclei in view that are outlined; more are shown as a field."""

MOST_CELLS = 3000
"""Cells of the field in view."""

COARSEST_PX = 0.35
"""Points of an outline that move it by fewer pixels of the screen are left out."""

GROUPS_KEPT = 12
"""Row groups of outlines held in memory, some 10 MB each."""

COLUMNS = ("x_um", "y_um", "orientation_rad", "orientation_reliability", "area_um2", "major_axis_um", TYPE)


class NucleiLayer:
    """Nuclei of one slide.

    Attributes
    ----------
    frame
        ``COLUMNS`` of all nuclei, as far as the table has them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.frame: pd.DataFrame = read_nuclei_columns(path, COLUMNS)
        self.points_um: Float64s = self.frame[["x_um", "y_um"]].to_numpy(np.float64)
        self.index = SpatialIndex(self.points_um, CELL_UM)
        self._group = lru_cache(GROUPS_KEPT)(self._read_group)

    @cached_property
    def field(self) -> AxisField:
        """Field of their axes."""
        angles, reliability = (self.frame[name].to_numpy(np.float64) for name in COLUMNS[2:4])
        return AxisField(self.index, angles, reliability)

    @cached_property
    def types(self) -> dict[str, str]:
        """Colour of each type of cell; none where the table names no types."""
        named = sorted(self.frame[TYPE].dropna().unique()) if TYPE in self.frame else []
        return {str(name): "#{:02x}{:02x}{:02x}".format(*type_colour(str(name))) for name in named}

    def in_box(self, box: Box, um_per_px: float) -> dict[str, Any]:
        """What of a box (um) is shown at a scale: ``nuclei``, or a ``field`` where they are too many."""
        if self.index.count_about(box) > 2 * MOST_OUTLINED:
            return {"field": self.field.in_box(box, MOST_CELLS)}
        rows = self.index.points_in(box)
        if len(rows) > MOST_OUTLINED:
            return {"field": self.field.in_box(box, MOST_CELLS)}
        shown = self.frame.iloc[rows]
        return {
            "nuclei": {
                "row": rows,
                "x": self.points_um[rows, 0],
                "y": self.points_um[rows, 1],
                "axis": shown["orientation_rad"].to_numpy(np.float64),
                "reliability": shown["orientation_reliability"].to_numpy(np.float64),
                "area": shown["area_um2"].to_numpy(np.float64),
                "type": [str(name) if isinstance(name, str) else "" for name in shown[TYPE]] if TYPE in shown else None,
                "outline": self.outlines(rows, COARSEST_PX * um_per_px),
            }
        }

    def outlines(self, rows: Int64s, tolerance_um: float) -> list[Float64s]:
        """Outline (n, 2) in um of each nucleus; no point where it has none."""
        shapes = np.concatenate([np.zeros(0, object), *self._contours(rows)])
        simple = shapely.simplify(shapely.from_wkb(shapes), tolerance_um)
        return [_ring(shape) for shape in simple]

    def _contours(self, rows: Int64s) -> Iterator[Any]:
        """Contours of rows in order, a row group at a time."""
        groups = np.searchsorted(self._group_starts, rows, side="right") - 1
        for group in np.unique(groups):
            yield self._group(int(group))[rows[groups == group] - self._group_starts[group]]

    @cached_property
    def _group_starts(self) -> Int64s:
        """First row of each row group."""
        metadata = pq.read_metadata(self._path)
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        return np.cumsum([0, *sizes[:-1]])

    def _read_group(self, group: int) -> Any:
        with pq.ParquetFile(self._path) as file:
            return file.read_row_group(group, columns=["contour_um"])["contour_um"].to_numpy()


def _ring(shape: Any) -> Float64s:
    if shape is None or shape.geom_type != "Polygon":
        return np.zeros((0, 2))
    ring: Float64s = shapely.get_coordinates(shapely.get_exterior_ring(shape))[:-1]
    return ring
