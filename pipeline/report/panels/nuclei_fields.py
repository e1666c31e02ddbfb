"""Nuclei of a few patches at full zoom, as outlines and axes that the page draws over their picture.

Frame of what a field carries: shares of its side from its top-left corner, as steps of 1/``STEPS``, y down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from pipeline.arrays import Float64s
from pipeline.artefacts.nuclei import TYPE, iterate_nuclei
from pipeline.pictures import type_colour
from pipeline.report.figures.field_of_view import FieldOfView
from pipeline.report.panels.packed import packed, packed_shares

STEPS = 4096
"""Steps of a side, below a tenth of a micrometre in the largest field."""

TOLERANCE_UM = 0.25
"""Points of an outline that lie nearer to the line without them are left out."""

MOST_NUCLEI = 400
"""Nuclei of a field, the largest first."""

COLUMNS = ("x_um", "y_um", "orientation_rad", "orientation_reliability", "major_axis_um", "contour_um")


@dataclass(frozen=True)
class NucleiField:
    """A square of a patch and its nuclei.

    Attributes
    ----------
    node
        The patch.
    field
        The square and the size of its picture.
    nuclei
        Rows of the nucleus table whose centroid lies in it.
    """

    node: int
    field: FieldOfView
    nuclei: pd.DataFrame

    def plain(self, slide_mpp: float) -> dict[str, Any]:
        """Ready for the page; without the picture."""
        frame, side_um = self.nuclei, self.field.width_l0 * slide_mpp
        corner_um = np.array([self.field.x_l0, self.field.y_l0]) * slide_mpp
        centres = (frame[["x_um", "y_um"]].to_numpy(np.float64) - corner_um) / side_um
        rings = [_steps(ring, corner_um, side_um) for ring in frame["contour_um"]]
        angle = frame["orientation_rad"].to_numpy(np.float64)
        types = frame[TYPE].fillna("").astype(str) if TYPE in frame else pd.Series([""] * len(frame))
        named = sorted(set(types) - {""})
        return {
            "node": self.node,
            "sideUm": side_um,
            "centre": packed(np.rint(centres * STEPS), "i2"),
            "axis": packed_shares(np.where(np.isnan(angle), 0.0, angle / np.pi)),
            # Without an axis it counts nothing in the field of axes.
            "reliability": packed_shares(np.where(np.isnan(angle), 0.0, frame["orientation_reliability"].fillna(0.0))),
            "length": packed_shares(frame["major_axis_um"].fillna(0.0).to_numpy(np.float64) / side_um),
            "points": packed([len(ring) for ring in rings], "u2"),
            "contour": packed(np.concatenate([np.zeros((0, 2)), *rings]), "i2"),
            "types": [[name, "#{:02x}{:02x}{:02x}".format(*type_colour(name))] for name in named],
            "type": packed([named.index(name) + 1 if name else 0 for name in types], "u2"),
        }


def read_nuclei_fields(
    path: Path, slide_mpp: float, squares: Sequence[tuple[int, FieldOfView]]
) -> tuple[NucleiField, ...]:
    """Fields with their nuclei, from one pass over the table.

    Parameters
    ----------
    path
        Table of nuclei.
    slide_mpp
        um per level-0 pixel.
    squares
        Patch and square of each field.
    """
    found: list[list[pd.DataFrame]] = [[] for _ in squares]
    for frame in iterate_nuclei(path):
        points = frame[["x_um", "y_um"]].to_numpy(np.float64) / slide_mpp
        kept = [name for name in (*COLUMNS, TYPE) if name in frame]
        for place, (_, square) in enumerate(squares):
            corner = np.array([square.x_l0, square.y_l0])
            inside = ((points >= corner) & (points < corner + square.width_l0)).all(axis=1)
            found[place].append(frame.loc[inside, kept])
    nuclei = [_largest(pd.concat(parts, ignore_index=True)) if parts else _none() for parts in found]
    return tuple(NucleiField(node, square, rows) for (node, square), rows in zip(squares, nuclei, strict=True))


def _largest(nuclei: pd.DataFrame) -> pd.DataFrame:
    ordered = nuclei.sort_values("major_axis_um", ascending=False, kind="stable").head(MOST_NUCLEI)
    return ordered.sort_index().reset_index(drop=True)


def _none() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object if name == "contour_um" else "float64") for name in COLUMNS})


def _steps(wkb: bytes | None, corner_um: Float64s, side_um: float) -> Float64s:
    """Outline (n, 2) in steps; no point where a nucleus has none."""
    if wkb is None:
        return np.zeros((0, 2))
    shape = shapely.simplify(shapely.from_wkb(wkb), TOLERANCE_UM)
    if shape.geom_type != "Polygon":
        return np.zeros((0, 2))
    ring = shapely.get_coordinates(shapely.get_exterior_ring(shape))[:-1]
    limits = np.iinfo("i2")
    return np.asarray(np.clip(np.rint((ring - corner_um) / side_um * STEPS), limits.min, limits.max), np.float64)
