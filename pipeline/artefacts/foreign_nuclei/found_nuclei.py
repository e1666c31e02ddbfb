"""What a file of nuclei says, whatever its format, and the names by which programs call it.

Frame: that of the file, (x, y), y down; see ``FoundNuclei``.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from pipeline.artefacts.nuclei import COLUMNS, TYPE

Unit = Literal["um", "px"]
"""Micrometres, or pixels of level 0."""

Origin = Literal["level 0", "scanned part"]
"""The corner of level 0, as OpenSlide counts, or that of the part QuPath shows."""

Outlines = npt.NDArray[Any]
"""Polygons and MultiPolygons of shapely, None where a nucleus has no outline."""

MEASURES = tuple(name for name, dtype in COLUMNS.items() if dtype == "float64" and name not in ("x_um", "y_um"))
"""Columns of a nucleus table that a file may bring."""

SAME_MEASURE: dict[str, str] = {
    "area µm^2": "area_um2",
    "nucleus: area µm^2": "area_um2",
    "nucleus_area": "area_um2",
    "perimeter µm": "perimeter_um",
    "length µm": "perimeter_um",
    "nucleus: length µm": "perimeter_um",
    "nucleus: perimeter µm": "perimeter_um",
    "nucleus: eccentricity": "eccentricity",
    "nucleus: solidity": "solidity",
    "hematoxylin od mean": "mean_haematoxylin",
    "hematoxylin: mean": "mean_haematoxylin",
    "nucleus: hematoxylin od mean": "mean_haematoxylin",
    "hematoxylin od std dev": "sd_haematoxylin",
    "nucleus: hematoxylin od std dev": "sd_haematoxylin",
}
"""Other programs' names, in small letters, of what comes near enough to a column of ours to fill it."""

NO_TYPE = frozenset({"", "nucleus", "nuclei", "cell", "cells", "detection", "unclassified", "nan", "none", "null"})
"""Classes, in small letters, that tell no type of cell."""


@dataclass(frozen=True)
class FoundNuclei:
    """Nuclei of one file.

    Attributes
    ----------
    kind
        Format of the file in words.
    frame
        One row a nucleus: ``x``, ``y`` (centroid, in ``unit``); those of ``MEASURES`` that the file brings, and others'
        names for them, which only fill gaps, as ``~name``; ``type`` (str or None) where any has one.
    outlines
        (n,), in ``unit``.
    unit, origin
        Of ``frame`` and ``outlines``.
    magnification
        Objective power of the pixels where they are not those of level 0, else None.
    left_out
        Objects that are no nucleus, by what they are.
    """

    kind: str
    frame: pd.DataFrame
    outlines: Outlines
    unit: Unit
    origin: Origin
    magnification: float | None = None
    left_out: Counter[str] = field(default_factory=Counter)


def measure_name(name: str) -> str | None:
    """Column of a measure by a file's name for it; ``~column`` of another program's measure; None of anything else."""
    plain = name.strip().replace("μ", "µ").replace("(µm)", "µm")
    if plain in MEASURES:
        return plain
    same = SAME_MEASURE.get(plain.lower())
    return None if same is None else f"~{same}"


def add_types(frame: pd.DataFrame, names: Iterable[Any]) -> None:
    """Give ``frame`` the column of types that classes tell, where one tells any."""
    types = types_of(names)
    if any(types):
        frame[TYPE] = pd.Series(types, dtype=object)


def types_of(names: Iterable[Any]) -> list[str | None]:
    """Types of cells from classes: None for those that tell none."""
    words = (None if name is None else str(name).strip() for name in names)
    return [None if word is None or word.lower() in NO_TYPE else word for word in words]


def polygons_of(polygons: Sequence[Sequence[Sequence[tuple[float, float]]]]) -> Outlines:
    """Shapely polygons (n,) of rings of corners, the outline first, then holes."""
    shapes = np.empty(len(polygons), dtype=object)
    rings = [ring for polygon in polygons for ring in polygon]
    if rings:
        corners = np.concatenate([np.asarray(ring, np.float64) for ring in rings])
        of_corner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
        of_ring = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
        shapely.polygons(shapely.linearrings(corners, indices=of_corner), indices=of_ring, out=shapes)
    return shapes


def centroids(outlines: Outlines) -> npt.NDArray[np.float64]:
    """Centroid (n, 2) of each outline; NaN without one."""
    points = shapely.centroid(outlines)
    return np.column_stack([shapely.get_x(points), shapely.get_y(points)])
