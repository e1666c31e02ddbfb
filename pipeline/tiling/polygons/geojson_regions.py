"""Regions in GeoJSON as QuPath and tools around it write them: areas with a class, detections and points beside them.

Read are a FeatureCollection, one Feature, a bare array of features and a bare geometry; Polygon, MultiPolygon and what
a GeometryCollection holds of them.  Objects that are no region (detections, cells, tiles, missing cores of a tissue
microarray) and geometries without an area (points, lines, null, empty ones) are left out and counted.

Frame: whatever the file is in; QuPath counts level-0 pixels from the corner of the scanned part.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artefacts.regular_files import read_user_text

Point = tuple[float, float]
Ring = tuple[Point, ...]

REGION_TYPES = frozenset({"annotation", "tmacore", "roi", ""})
"""Kinds of object whose area a person drew; QuPath's ``objectType``, absent in older files."""

AREALESS = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString"})

FEWEST_CORNERS = 3


class NotGeoJsonError(ValueError):
    """What a file holds is no GeoJSON; the message says where and what."""


@dataclass(frozen=True)
class Region:
    """One polygon with its class.

    Attributes
    ----------
    rings
        The outline, then holes; corners (x, y).
    base_class
        First part of the class, without what is derived from it: ``Ignore*`` of ``Ignore*: Fold``; empty without one.
    """

    rings: tuple[Ring, ...]
    base_class: str


@dataclass(frozen=True)
class Regions:
    """All regions of a file.

    Attributes
    ----------
    regions
        In the file's order.
    left_out
        Number of objects that were passed over, by reason.
    """

    regions: tuple[Region, ...]
    left_out: Counter[str] = field(default_factory=Counter)


def read_regions(path: str | Path) -> Regions:
    """Read the regions of a GeoJSON file.

    Raises
    ------
    NotGeoJsonError
        If it cannot be read or a feature is not as GeoJSON has it; names the feature.
    """
    try:
        content = json.loads(read_user_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise NotGeoJsonError(f"it cannot be read ({error})") from error
    left_out: Counter[str] = Counter()
    regions = [
        region
        for number, feature in enumerate(_features(content))
        for region in _regions(feature, f"feature {number}", left_out)
    ]
    return Regions(tuple(regions), left_out)


def _features(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    elif isinstance(content, dict):
        is_feature = content.get("type") == "Feature"
        content = [content if is_feature else {"type": "Feature", "geometry": content, "properties": {}}]
    if not isinstance(content, list):
        raise NotGeoJsonError(f"its features are {_kind(content)}, not a list")
    for number, feature in enumerate(content):
        if not isinstance(feature, dict):
            raise NotGeoJsonError(f"feature {number} is {_kind(feature)}, not an object")
    return content


def _regions(feature: dict[str, Any], where: str, left_out: Counter[str]) -> Iterator[Region]:
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    object_type = str(properties.get("objectType") or properties.get("object_type") or "").strip().lower()
    if object_type not in REGION_TYPES:
        left_out[f"{object_type} objects"] += 1
        return
    if properties.get("isMissing") is True:
        left_out["missing cores"] += 1
        return
    for polygon in _polygons(feature.get("geometry"), where, left_out):
        yield Region(polygon, base_class(properties))


def base_class(properties: dict[str, Any]) -> str:
    """First part of a feature's class, or its name where it has none; see ``Region``."""
    classification = properties.get("classification")
    if isinstance(classification, dict):
        names = classification.get("names")
        classification = names[0] if isinstance(names, list) and names else classification.get("name")
    name = classification or properties.get("name") or ""
    return str(name).split(":")[0].strip()


def _polygons(geometry: Any, where: str, left_out: Counter[str]) -> Iterator[tuple[Ring, ...]]:
    if geometry is None:
        left_out["objects without geometry"] += 1
        return
    if not isinstance(geometry, dict):
        raise NotGeoJsonError(f"the geometry of {where} is {_kind(geometry)}, not an object")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
        for part in parts if isinstance(parts, list) else ():
            yield from _polygons(part, where, left_out)
    elif kind in AREALESS:
        left_out["points and lines"] += 1
    elif kind in ("Polygon", "MultiPolygon"):
        for rings in [coordinates] if kind == "Polygon" else _listed(coordinates, where):
            yield from _polygon(rings, where, left_out)
    else:
        raise NotGeoJsonError(f"{where} holds a geometry of type {kind!r}")


def _polygon(rings: Any, where: str, left_out: Counter[str]) -> Iterator[tuple[Ring, ...]]:
    read = [_ring(ring, where) for ring in _listed(rings, where)]
    whole = [ring for ring in read if len(set(ring)) >= FEWEST_CORNERS]
    if len(whole) < len(read):
        left_out["rings of fewer than three corners"] += len(read) - len(whole)
    if not read:
        left_out["empty polygons"] += 1
    elif read[0] in whole:
        yield tuple(whole)


def _ring(corners: Any, where: str) -> Ring:
    ring = []
    for corner in _listed(corners, where):
        numbers = corner[:2] if isinstance(corner, list) else ()
        plain = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
        if len(numbers) != 2 or not plain:
            raise NotGeoJsonError(f"a corner of {where} is {json.dumps(corner)[:60]}, not two numbers")
        ring.append((float(numbers[0]), float(numbers[1])))
    return tuple(ring)


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise NotGeoJsonError(f"the coordinates of {where} hold {_kind(value)} where a list belongs")
    return value


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
