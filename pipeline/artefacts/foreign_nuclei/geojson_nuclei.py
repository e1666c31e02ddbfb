"""Nuclei in GeoJSON: detections and cells of QuPath with classes and measurements, outlines of CellViT.

A detection or cell is one nucleus, whatever number of pieces its outline has; of a cell its nucleus is taken.  In a
file without either, every polygon and every point of its annotations is one, since CellViT writes all nuclei of a class
as one annotation.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from pipeline.arrays import Float64s
from pipeline.artefacts.foreign_nuclei.found_nuclei import (
    FoundNuclei,
    Outlines,
    add_types,
    centroids,
    measure_name,
    polygons_of,
)
from pipeline.artefacts.geojson import Feature, Point, Polygon, features_of, shapes_of

DETECTIONS = frozenset({"detection", "cell"})
OTHERS = frozenset({"tile", "tmacore", "root", "connections"})
"""Kinds of object that are never nuclei."""

NO_OUTLINE = "outlines of whole cells, which have no nucleus of their own"

PLACE = ("x_px", "y_px")
"""Measurements of our own export: the centroid in the file's frame, which an outline cannot tell to the last bit."""


MOST_MEASURED = 1e300
"""Guard: no measurement is larger, in whatever unit."""


@dataclass(frozen=True)
class _Nucleus:
    """One nucleus as drawn: polygons of its outline, or a point."""

    polygons: tuple[Polygon, ...]
    point: Point | None
    class_name: str
    measures: Mapping[str, float]


def geojson_nuclei(content: Any) -> FoundNuclei:
    """Nuclei of what a GeoJSON file holds.

    Raises
    ------
    NotGeoJsonError
        If a feature is not as GeoJSON has it; names the feature.
    """
    left_out: Counter[str] = Counter()
    features = features_of(content)
    detects = any(feature.object_type in DETECTIONS for feature in features)
    nuclei = [nucleus for feature in features for nucleus in _nuclei(feature, detects, left_out)]
    outlines = _outlines(nuclei)
    measured = pd.DataFrame([nucleus.measures for nucleus in nuclei], index=range(len(nuclei)), dtype=np.float64)
    places = _places(nuclei, outlines, measured)
    frame = measured.drop(columns=[name for name in PLACE if name in measured]).assign(x=places[:, 0], y=places[:, 1])
    add_types(frame, (nucleus.class_name for nucleus in nuclei))
    return FoundNuclei("GeoJSON", frame, outlines, "px", "scanned part", left_out=+left_out)


def _nuclei(feature: Feature, detects: bool, left_out: Counter[str]) -> Iterator[_Nucleus]:
    kind = feature.object_type
    if kind in OTHERS or (detects and kind not in DETECTIONS):
        left_out[f"objects of kind {kind or 'annotation'}"] += 1
        return
    geometry = feature.content.get("nucleusGeometry") or feature.content.get("geometry")
    left_out[NO_OUTLINE] += kind == "cell" and not feature.content.get("nucleusGeometry")
    shapes = shapes_of(geometry, feature.where, left_out)
    class_name, measures = feature.class_name, _measures(feature)
    if kind in DETECTIONS and shapes.polygons:
        yield _Nucleus(shapes.polygons, None, class_name, measures)
        return
    for polygon in shapes.polygons:
        yield _Nucleus((polygon,), None, class_name, measures)
    for point in shapes.points:
        yield _Nucleus((), point, class_name, measures)


def _measures(feature: Feature) -> dict[str, float]:
    """Measurements by column, of both forms that QuPath has written them in."""
    given = feature.properties.get("measurements")
    if isinstance(given, list):
        given = {str(item.get("name")): item.get("value") for item in given if isinstance(item, dict)}
    measures = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        column = name if name in PLACE else measure_name(str(name))
        if column is not None and isinstance(value, int | float) and not isinstance(value, bool):
            # Whole numbers of JSON have no bound.
            measures[column] = float(value) if abs(value) < MOST_MEASURED else math.nan
    return measures


def _outlines(nuclei: list[_Nucleus]) -> Outlines:
    outlines = np.empty(len(nuclei), dtype=object)
    counts = np.array([len(nucleus.polygons) for nucleus in nuclei], np.int64)
    parts = polygons_of([polygon for nucleus in nuclei for polygon in nucleus.polygons])
    whole = np.repeat(counts == 1, counts)
    outlines[counts == 1] = parts[whole]
    pieces = np.repeat(np.arange(len(nuclei)), counts)[~whole]
    if len(pieces):
        shapely.multipolygons(parts[~whole], indices=pieces, out=outlines)
    return outlines


def _places(nuclei: list[_Nucleus], outlines: Outlines, measured: pd.DataFrame) -> Float64s:
    """Centroids (n, 2): measured ones where they lie within the bounds of what is drawn, else those of the drawing."""
    drawn = [(np.nan, np.nan) if nucleus.point is None else nucleus.point for nucleus in nuclei]
    points = np.array(drawn, np.float64).reshape(-1, 2)
    has_outline = ~shapely.is_missing(outlines)
    points[has_outline] = centroids(outlines[has_outline])
    if not set(PLACE) <= set(measured):
        return points
    given = measured[list(PLACE)].to_numpy()
    around = np.hstack([points - 1, points + 1])
    bounds = np.where(has_outline[:, None], shapely.bounds(outlines), around)
    inside = ((given >= bounds[:, :2]) & (given <= bounds[:, 2:])).all(axis=1)
    return np.where(inside[:, None], given, points)
