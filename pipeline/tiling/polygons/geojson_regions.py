"""Regions in GeoJSON as QuPath and tools around it write them: areas with a class, detections and points beside them.

Objects that are no region (detections, cells, tiles, missing cores of a tissue microarray) and geometries without an
area (points, lines, null, empty ones) are left out and counted.

Frame: whatever the file is in; QuPath counts level-0 pixels from the corner of the scanned part.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.artefacts.geojson import Feature, Ring, read_features, shapes_of

REGION_TYPES = frozenset({"annotation", "tmacore", "roi", ""})
"""Kinds of object whose area a person drew; QuPath's ``objectType``, absent in older files."""


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
    left_out: Counter[str] = Counter()
    regions = [region for feature in read_features(path) for region in _regions(feature, left_out)]
    return Regions(tuple(regions), left_out)


def _regions(feature: Feature, left_out: Counter[str]) -> Iterator[Region]:
    if feature.object_type not in REGION_TYPES:
        left_out[f"{feature.object_type} objects"] += 1
        return
    if feature.properties.get("isMissing") is True:
        left_out["missing cores"] += 1
        return
    counted: Counter[str] = Counter()
    shapes = shapes_of(feature.content.get("geometry"), feature.where, counted)
    counted["points and lines"] += counted.pop("lines", 0) + counted.pop("empty points", 0) + bool(shapes.points)
    left_out.update(+counted)
    name = feature.class_name or str(feature.properties.get("name") or "")
    base_class = name.split(":")[0].strip()
    yield from (Region(polygon, base_class) for polygon in shapes.polygons)
