"""A mask drawn by hand: GeoJSON polygons in level-0 pixels, as QuPath exports them.

QuPath shows only the scanned part of a slide and counts from its corner, so a slide whose
file states bounds has an offset between its polygons and its level-0 frame.

Tiles are restricted to the inside of the polygons.  A feature whose classification is
named ``exclude`` or ``ignore`` (``Ignore*`` in QuPath) is cut out instead; where there
are only such features, everything else stays.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pipeline.errors import SheetError
from pipeline.tiling.grid.tile_grid import SlideSize

EXCLUDING = frozenset({"exclude", "ignore", "ignore*"})

Ring = list[list[float]]


@dataclass(frozen=True)
class MaskFrame:
    """Where polygons lie on a mask: cells per level-0 pixel, and the level-0 position of their origin, in x and y."""

    scale: tuple[float, float]
    origin_l0: tuple[int, int]

    def cell(self, x: float, y: float) -> tuple[float, float]:
        """Place on the mask as Pillow counts, whose cell centres lie at integers."""
        return (x + self.origin_l0[0]) * self.scale[0] - 0.5, (y + self.origin_l0[1]) * self.scale[1] - 0.5


def read_polygon_mask(
    path: str | Path, size: SlideSize, *, shape: tuple[int, int], origin_l0: tuple[int, int] = (0, 0)
) -> npt.NDArray[np.bool_]:
    """Rasterise the polygons of a GeoJSON file onto a mask that covers the whole slide.

    Parameters
    ----------
    path
        FeatureCollection, Feature or geometry; Polygon or MultiPolygon.
    size
        Of the slide.
    shape
        (rows, cols) of the mask.
    origin_l0
        Level-0 position (x, y) of the polygons' origin: the corner of the slide's bounds.

    Returns
    -------
    bool (rows, cols)

    Raises
    ------
    SheetError
        If the file is missing, is not GeoJSON or holds no polygon.
    """
    features = list(_features(_load(path)))
    frame = MaskFrame((shape[1] / size.width_l0, shape[0] / size.height_l0), origin_l0)
    inside, outside = np.zeros(shape, bool), np.zeros(shape, bool)
    n_including = 0
    for feature in features:
        excludes = _class_name(feature) in EXCLUDING
        n_including += not excludes
        for rings in _polygons(feature, path):
            target = outside if excludes else inside
            target |= _rasterised(rings, frame, shape)
    if not features:
        raise _fault(path, "it holds no feature")
    allowed = inside if n_including else np.ones(shape, bool)
    return np.asarray(allowed & ~outside, np.bool_)


def _load(path: str | Path) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _fault(path, f"it cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise _fault(path, f"it holds a {type(content).__name__}")
    return content


def _features(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if content.get("type") == "FeatureCollection":
        yield from content.get("features", [])
    elif content.get("type") == "Feature":
        yield content
    else:
        yield {"type": "Feature", "geometry": content, "properties": {}}


def _class_name(feature: dict[str, Any]) -> str:
    properties = feature.get("properties") or {}
    classification = properties.get("classification") or {}
    name = classification.get("name", "") if isinstance(classification, dict) else classification
    return str(name or properties.get("name") or "").strip().lower()


def _polygons(feature: dict[str, Any], path: str | Path) -> list[list[Ring]]:
    geometry = feature.get("geometry") or {}
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Polygon" and coordinates:
        return [coordinates]
    if kind == "MultiPolygon" and coordinates:
        return list(coordinates)
    raise _fault(path, f"it holds a geometry of type {kind!r}")


def _rasterised(rings: list[Ring], frame: MaskFrame, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Interior of one polygon: the first ring less the others."""
    picture = Image.new("1", (shape[1], shape[0]), 0)
    draw = ImageDraw.Draw(picture)
    for number, ring in enumerate(rings):
        corners = [frame.cell(x, y) for x, y, *_ in ring]
        if len(corners) >= 3:
            draw.polygon(corners, fill=int(number == 0))
    return np.asarray(picture, np.bool_)


def _fault(path: str | Path, found: str) -> SheetError:
    return SheetError(
        str(path), [f"column `mask`: expected a GeoJSON file of polygons in level-0 pixels; {found}. Export it again."]
    )
