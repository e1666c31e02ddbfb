"""GeoJSON as people's programs write it: features with a geometry, a kind of object, a class and measurements.

Read are a FeatureCollection, one Feature, a bare array of features and a bare geometry, gzipped or not; of geometries
Polygon, MultiPolygon, Point, MultiPoint and what a GeometryCollection holds of them.  Geometries of another kind are
left out and counted.

Frame: whatever the file is in; QuPath counts level-0 pixels from the corner of the scanned part.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artefacts.regular_files import read_packed_text

Point = tuple[float, float]
Ring = tuple[Point, ...]
Polygon = tuple[Ring, ...]
"""The outline, then holes."""

LINES = frozenset({"LineString", "MultiLineString"})
POINTS = frozenset({"Point", "MultiPoint"})

FEWEST_CORNERS = 3

MOST_PX = 1e12
"""Guard: no slide reaches as far, in whatever unit."""


class NotGeoJsonError(ValueError):
    """What a file holds is no GeoJSON; the message says where and what."""


@dataclass(frozen=True)
class Feature:
    """One feature of a file.

    Attributes
    ----------
    where
        Its place in the file, in words.
    content
        Itself, as JSON has it.
    """

    where: str
    content: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        """What it says beside its geometry; empty where it says nothing."""
        properties = self.content.get("properties")
        return properties if isinstance(properties, dict) else {}

    @property
    def object_type(self) -> str:
        """QuPath's kind of object in small letters: ``annotation``, ``detection``, ``cell``, ...; empty if unknown."""
        return str(self.properties.get("objectType") or self.properties.get("object_type") or "").strip().lower()

    @property
    def class_name(self) -> str:
        """Its class, parts of a derived one parted by ``": "``; empty without one."""
        classification = self.properties.get("classification")
        if isinstance(classification, dict):
            names = classification.get("names")
            listed = ": ".join(map(str, names)) if isinstance(names, list) else ""
            classification = listed or classification.get("name")
        return str(classification or "").strip()


@dataclass(frozen=True)
class Shapes:
    """What the geometry of one feature draws.

    Attributes
    ----------
    polygons
        Areas, in order.
    points
        Points (x, y), in order.
    """

    polygons: tuple[Polygon, ...]
    points: tuple[Point, ...]


def read_features(path: str | Path) -> list[Feature]:
    """Features of a file, in order.

    Raises
    ------
    NotGeoJsonError
        If it cannot be read or holds no list of objects.
    """
    return features_of(read_json(path))


def read_json(path: str | Path) -> Any:
    """What a JSON file holds, gzipped or not.

    Raises
    ------
    NotGeoJsonError
        If it cannot be read.
    """
    try:
        return json.loads(read_packed_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise NotGeoJsonError(f"it cannot be read ({error})") from error


def features_of(content: Any) -> list[Feature]:
    """Features of what a file holds; see ``read_features``.

    Raises
    ------
    NotGeoJsonError
        If it is no collection, feature or geometry.
    """
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    elif isinstance(content, dict):
        is_feature = content.get("type") == "Feature"
        content = [content if is_feature else {"type": "Feature", "geometry": content, "properties": {}}]
    if not isinstance(content, list):
        raise NotGeoJsonError(f"its features are {kind_of(content)}, not a list")
    for number, feature in enumerate(content):
        if not isinstance(feature, dict):
            raise NotGeoJsonError(f"feature {number} is {kind_of(feature)}, not an object")
    return [Feature(f"feature {number}", feature) for number, feature in enumerate(content)]


def shapes_of(geometry: Any, where: str, left_out: Counter[str]) -> Shapes:
    """What a geometry draws; what is no area or point, or has too few corners, is counted in ``left_out``.

    Raises
    ------
    NotGeoJsonError
        If it is not as GeoJSON has it; names the feature.
    """
    polygons: list[Polygon] = []
    points: list[Point] = []
    for kind, coordinates in _simple_geometries(geometry, where, left_out):
        if kind in POINTS:
            listed = _listed(coordinates, where)
            found = [_corner(point, where) for point in ([listed] if kind == "Point" and listed else listed)]
            points += found
            left_out["empty points"] += not found
        elif kind in LINES:
            left_out["lines"] += 1
        else:
            for rings in [coordinates] if kind == "Polygon" else _listed(coordinates, where):
                polygons += _polygon(rings, where, left_out)
    return Shapes(tuple(polygons), tuple(points))


def _simple_geometries(geometry: Any, where: str, left_out: Counter[str]) -> Iterator[tuple[str, Any]]:
    """Kind and coordinates of each geometry that is no collection of others."""
    if geometry is None:
        left_out["objects without geometry"] += 1
        return
    if not isinstance(geometry, dict):
        raise NotGeoJsonError(f"the geometry of {where} is {kind_of(geometry)}, not an object")
    # Of any type in a file that is not GeoJSON, so made one that can be looked up.
    kind = str(geometry.get("type"))
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
        for part in parts if isinstance(parts, list) else ():
            yield from _simple_geometries(part, where, left_out)
    elif kind in POINTS | LINES | {"Polygon", "MultiPolygon"}:
        yield kind, geometry.get("coordinates")
    else:
        raise NotGeoJsonError(f"{where} holds a geometry of type {kind[:60]!r}")


def _polygon(rings: Any, where: str, left_out: Counter[str]) -> Iterator[Polygon]:
    read = [tuple(_corner(corner, where) for corner in _listed(ring, where)) for ring in _listed(rings, where)]
    whole = [ring for ring in read if len(set(ring)) >= FEWEST_CORNERS]
    if len(whole) < len(read):
        left_out["rings of fewer than three corners"] += len(read) - len(whole)
    if not read:
        left_out["empty polygons"] += 1
    elif read[0] in whole:
        yield tuple(whole)


def _corner(corner: Any, where: str) -> Point:
    numbers = corner[:2] if isinstance(corner, list) else ()
    if len(numbers) != 2 or not all(map(_is_place, numbers)):
        raise NotGeoJsonError(f"a corner of {where} is {json.dumps(corner)[:60]}, not two numbers")
    return float(numbers[0]), float(numbers[1])


def _is_place(number: Any) -> bool:
    """Whether a corner can lie there; whole numbers of JSON have no bound, and floating-point ones can be infinite."""
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < MOST_PX


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise NotGeoJsonError(f"the coordinates of {where} hold {kind_of(value)} where a list belongs")
    return value


def kind_of(value: Any) -> str:
    """What kind of JSON a value is, in a word."""
    return "null" if value is None else type(value).__name__
