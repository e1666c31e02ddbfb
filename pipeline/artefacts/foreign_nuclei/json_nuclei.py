"""Nuclei in the JSON of HoVer-Net (Graham et al. 2019) and CellViT (Horst et al. 2024).

Both trace a nucleus through the centres of its border pixels, counting pixels and not their corners: half a pixel is
added to places, and half a pixel around outlines.  HoVer-Net's pixels are those of the magnification it worked at,
CellViT's those of level 0.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei, add_types, centroids, polygons_of
from pipeline.errors import ImportedFileError

HALF_PX = 0.5
FEWEST_CORNERS = 3
UNTYPED = 0
"""Type that both programs give to what they could not classify."""


def hover_net_nuclei(content: Mapping[str, Any], path: str | Path) -> FoundNuclei:
    """Nuclei of HoVer-Net's ``{"mag": ..., "nuc": {number: {"centroid", "contour", "type"}}}``.

    Raises
    ------
    ImportedFileError
        If a nucleus has neither centroid nor contour, or numbers are none.
    """
    listed = content["nuc"]
    nuclei = list(listed.values()) if isinstance(listed, dict) else listed
    magnification = content.get("mag")
    known = isinstance(magnification, int | float) and not isinstance(magnification, bool) and magnification > 0
    return _found("HoVer-Net JSON", nuclei, content.get("type_map"), path, magnification if known else None)


def cellvit_nuclei(content: Mapping[str, Any], path: str | Path) -> FoundNuclei:
    """Nuclei of CellViT's ``{"type_map": ..., "cells": [{"centroid", "contour", "type"}]}``.

    Raises
    ------
    ImportedFileError
        As ``hover_net_nuclei``.
    """
    return _found("CellViT JSON", content["cells"], content.get("type_map"), path, None)


def _found(kind: str, nuclei: Any, type_map: Any, path: str | Path, magnification: float | None) -> FoundNuclei:
    if not isinstance(nuclei, list) or not all(isinstance(nucleus, dict) for nucleus in nuclei):
        raise ImportedFileError(f"{path}: expected the nuclei of {kind} as objects, found something else.")
    contours = [_points(nucleus.get("contour"), number, path) for number, nucleus in enumerate(nuclei)]
    is_traced = np.array([len(contour) >= FEWEST_CORNERS for contour in contours], np.bool_)
    outlines = np.empty(len(nuclei), dtype=object)
    traced = polygons_of([[contour] for contour, traced in zip(contours, is_traced, strict=True) if traced])
    moved = shapely.transform(traced, lambda points: points + HALF_PX)
    grown = shapely.buffer(shapely.make_valid(moved), HALF_PX, join_style="mitre")
    outlines[is_traced] = grown
    outlines[shapely.is_empty(outlines)] = None
    places = _places(nuclei, path)
    unplaced = np.isnan(places).any(axis=1)
    places[unplaced] = centroids(outlines[unplaced])
    if np.isnan(places).any():
        number = int(np.flatnonzero(np.isnan(places).any(axis=1))[0])
        raise ImportedFileError(f"{path}: nucleus {number} (from 0) has neither a centroid nor a contour.")
    frame = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]})
    add_types(frame, (_type(nucleus.get("type"), type_map) for nucleus in nuclei))
    return FoundNuclei(kind, frame, outlines, "px", "level 0", magnification)


def _places(nuclei: Sequence[Mapping[str, Any]], path: str | Path) -> Any:
    points = [_points([nucleus.get("centroid")], number, path, may_lack=True) for number, nucleus in enumerate(nuclei)]
    places = [point[0] if point else (np.nan, np.nan) for point in points]
    return np.array(places, np.float64).reshape(-1, 2) + HALF_PX


def _points(given: Any, number: int, path: str | Path, *, may_lack: bool = False) -> list[tuple[float, float]]:
    """Points of a list; of none where there is no list, or with ``may_lack`` no point."""
    if given is None or (may_lack and given == [None]):
        return []
    try:
        points = np.asarray(given, np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError) as error:
        where = f"{path}: nucleus {number} (from 0)"
        raise ImportedFileError(f"{where}: expected points of two numbers ({error}).") from error
    if not np.isfinite(points).all():
        raise ImportedFileError(f"{path}: nucleus {number} (from 0): a coordinate is not finite.")
    return [(x, y) for x, y in points.tolist()]


def _type(number: Any, type_map: Any) -> str | None:
    """Name of a type where the file has names, else its number."""
    if number is None or number == UNTYPED:
        return None
    # Keys of JSON are text.
    named = type_map.get(str(number)) if isinstance(type_map, dict) else None
    if isinstance(named, list):
        named = named[0] if named else None
    return str(number if named is None else named)
