"""GeoJSON as QuPath reads it: features with ``objectType``, streamed, reproducible to the byte.

Frame: level-0 pixels as QuPath counts them, (x, y), y down.  Formats whose scanned area
is smaller than level 0 (MIRAX) carry bounds there; QuPath crops to them, so its origin is
``origin_l0``, the corner (x, y) of the bounds, in the frame of the tables.
"""

import gzip
import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.nuclei import TYPE
from pipeline.artefacts.tiles import QC_COLUMNS
from pipeline.pictures import type_colour

COORDINATE_GRID_PX = 0.01
"""Coordinates are rounded to this many level-0 pixels, far below what a contour resolves."""

NUCLEI_PER_CHUNK = 4096
"""Nuclei turned into text at a time, so that memory does not grow with the slide."""

NUCLEUS_COLOUR = (46, 134, 193)
NUCLEUS_CLASS = "Nucleus"
"""Class of a nucleus of no known type."""
TABLE_ORIGIN = (0, 0)
"""Origin of a slide that is scanned whole."""

KEPT_COLOUR = (0, 158, 115)
DROPPED_COLOUR = (150, 150, 150)


def feature_text(
    *,
    identity: str,
    object_type: str,
    geometry: str,
    classification: Mapping[str, Any],
    name: str,
    numbers: Mapping[str, float],
) -> str:
    """One GeoJSON feature as text.

    Parameters
    ----------
    identity
        Name from which the feature's UUID is derived, so equal objects have equal ids.
    object_type
        ``detection``, ``annotation`` or ``tile``.
    geometry
        Geometry as GeoJSON text.
    classification
        ``name`` and ``color`` as QuPath writes them.
    name
        Name that QuPath shows.
    numbers
        Measurements; values that are not finite are left out, JSON has none.
    """
    properties = {
        "objectType": object_type,
        "name": name,
        "classification": dict(classification),
        "measurements": {key: value for key, value in numbers.items() if math.isfinite(value)},
    }
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"abignet:{identity}")
    return (
        f'{{"type": "Feature", "id": "{identifier}", "geometry": {geometry}, '
        f'"properties": {json.dumps(properties, ensure_ascii=False)}}}'
    )


def classified(name: str, colour: Sequence[int]) -> dict[str, Any]:
    """Classification of QuPath: a name and an RGB colour, 0 to 255."""
    return {"name": name, "color": list(colour)}


def origin_l0(header: Mapping[str, Any]) -> tuple[int, int]:
    """Origin of QuPath's frame in that of a tile or nucleus table, from the table's header."""
    x_l0, y_l0, *_ = header.get("bounds_l0") or TABLE_ORIGIN
    return int(x_l0), int(y_l0)


def polygons_l0(
    contours_um: Iterable[bytes], slide_mpp: float, origin: tuple[int, int] = TABLE_ORIGIN
) -> npt.NDArray[np.object_]:
    """Closed valid polygons in level-0 pixels of contours in micrometres.

    Parameters
    ----------
    contours_um
        Polygons as WKB, in um.
    slide_mpp
        um per level-0 pixel.
    origin
        See ``origin_l0``.

    Returns
    -------
    ndarray of object
        One Polygon or MultiPolygon per contour, None where nothing with an area is left.
        Self-crossing rings are mended; lines and points that mending leaves are dropped.
    """
    shapes = shapely.from_wkb(np.asarray(list(contours_um), dtype=object))
    scaled = shapely.transform(shapes, lambda points: points / slide_mpp - origin)
    rounded = shapely.set_precision(shapely.make_valid(scaled), COORDINATE_GRID_PX)
    mended = [_areal(shape) for shape in rounded]
    result = np.empty(len(mended), dtype=object)
    result[:] = mended
    return result


def _areal(shape: Any) -> Any:
    if shape is None or shape.is_empty:
        return None
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type in ("Polygon", "MultiPolygon")]
    union = shapely.union_all(parts) if parts else None
    return None if union is None or union.is_empty else union


def nucleus_features(
    nuclei: pd.DataFrame, *, slide_id: str, slide_mpp: float, origin: tuple[int, int] = TABLE_ORIGIN
) -> Iterator[str]:
    """One ``detection`` per nucleus, classed by type, with its measures and its centroid (``x_px``, ``y_px``).

    A nucleus whose outline is missing or has no area is a point at its centroid.

    Parameters
    ----------
    nuclei
        Rows of a nucleus table; see ``pipeline.artefacts.nuclei.COLUMNS``.
    slide_mpp
        um per level-0 pixel.
    origin
        See ``origin_l0``.
    """
    measures = [
        column
        for column in nuclei.columns
        if column not in ("x_um", "y_um", "contour_um") and pd.api.types.is_numeric_dtype(nuclei[column])
    ]
    for start in range(0, len(nuclei), NUCLEI_PER_CHUNK):
        chunk = nuclei.iloc[start : start + NUCLEI_PER_CHUNK]
        places = chunk[["x_um", "y_um"]].to_numpy(np.float64) / slide_mpp - origin
        geometries = polygons_l0(chunk["contour_um"], slide_mpp, origin)
        bare = shapely.is_missing(geometries)
        geometries[bare] = shapely.points(places[bare])
        rows = chunk[measures].assign(x_px=places[:, 0], y_px=places[:, 1]).to_dict("records")
        types = chunk[TYPE] if TYPE in chunk else [None] * len(chunk)
        for text, row, name in zip(shapely.to_geojson(geometries), rows, types, strict=True):
            nucleus_id = int(row["nucleus_id"])
            yield feature_text(
                identity=f"{slide_id}:nucleus:{nucleus_id}",
                object_type="detection",
                geometry=text,
                classification=nucleus_class(name),
                name=f"nucleus {nucleus_id}",
                numbers={str(key): value for key, value in row.items()},
            )


def nucleus_class(name: str | None) -> dict[str, Any]:
    """Classification of a nucleus of a type, or of none; a type has the same colour on every slide."""
    return classified(NUCLEUS_CLASS, NUCLEUS_COLOUR) if name is None else classified(name, type_colour(name))


def patch_features(
    tiles: pd.DataFrame,
    measurements: Mapping[int, Mapping[str, float]],
    *,
    slide_id: str,
    origin: tuple[int, int] = TABLE_ORIGIN,
) -> Iterator[str]:
    """One square ``annotation`` per tile, classified ``Patch kept`` or ``Patch dropped``, named with the reason.

    Parameters
    ----------
    tiles
        Rows of a tile table; see ``pipeline.artefacts.tiles.COLUMNS``.
    measurements
        Numbers by tile_id, beside ``tissue_fraction`` and what quality control measured.
    origin
        See ``origin_l0``.
    """
    for row in tiles.to_dict("records"):
        tile_id, x_l0, y_l0, width_l0 = (
            int(row["tile_id"]),
            float(row["x_l0"]) - origin[0],
            float(row["y_l0"]) - origin[1],
            float(row["width_l0"]),
        )
        ring = square(x_l0, y_l0, x_l0 + width_l0, y_l0 + width_l0)
        is_kept = bool(row["kept"])
        yield feature_text(
            identity=f"{slide_id}:tile:{tile_id}",
            object_type="annotation",
            geometry=json.dumps({"type": "Polygon", "coordinates": [ring]}),
            classification=classified(*(("Patch kept", KEPT_COLOUR) if is_kept else ("Patch dropped", DROPPED_COLOUR))),
            name=f"tile {tile_id}" + ("" if is_kept else f": {row['reason']}"),
            numbers={
                **{column: float(row[column]) for column in ("tissue_fraction", *QC_COLUMNS)},
                **measurements.get(tile_id, {}),
            },
        )


def square(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    """Closed ring of an upright box, rounded to the coordinate grid."""
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    return [[round(x, 2), round(y, 2)] for x, y in corners]


def write_collection(path: str | Path, features: Iterable[str]) -> int:
    """Stream features into a FeatureCollection, gzipped when ``path`` ends in ``.gz``; return their number.

    The same features give the same bytes: gzip stores neither time nor file name.
    """
    count = 0
    with writing(path) as temporary, _open_text(temporary) as stream:
        stream.write(b'{"type": "FeatureCollection", "features": [')
        for text in features:
            stream.write((b",\n" if count else b"\n") + text.encode())
            count += 1
        stream.write(b"\n]}\n")
    return count


@contextmanager
def _open_text(path: Path) -> Iterator[IO[bytes]]:
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield raw
