"""Nuclei and patches of a slide for QuPath."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artefacts.features import FeatureStore, check_store_slide, read_features
from pipeline.artefacts.header import check_slide
from pipeline.artefacts.made_from import check_made_from
from pipeline.artefacts.nuclei import iterate_nuclei, read_nuclei_header
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import ArtefactError
from pipeline.provenance import digests
from pipeline.report.qupath.geojson import nucleus_features, origin_l0, patch_features, write_collection


def export_geojson(
    tiles_path: str | Path,
    nuclei_path: str | Path,
    features_path: str | Path | None,
    nuclei_geojson_path: str | Path,
    patches_geojson_path: str | Path,
    *,
    slide_id: str,
) -> None:
    """Write a slide's nuclei and patches as GeoJSON in QuPath's level-0 pixels.

    Nuclei become ``detection`` objects with their measures, classed by type; patches become
    ``annotation`` squares classified kept or dropped, with ``tissue_fraction``, what
    quality control measured, ``n_nuclei`` where nuclei were looked for and, with ``features_path``, ``graph_node``
    (row in the feature store) and every defined feature.  Empty tables give empty, valid
    collections.

    Parameters
    ----------
    tiles_path, nuclei_path
        Tables of the slide.
    features_path
        Feature store of the slide, or None.
    nuclei_geojson_path, patches_geojson_path
        Where to write; gzipped when the name ends in ``.gz``.
    slide_id
        The slide; enters the objects' ids.

    Raises
    ------
    ArtefactError
        If a table cannot be read, holds rows without knowing the slide's pixel size, or one was made from another
        than the one that is given, or for another slide.
    """
    tiles, header = read_tiles(tiles_path), read_nuclei_header(nuclei_path)
    check_slide(tiles.header, slide_id, "tiles", tiles_path)
    check_slide(header, slide_id, "nuclei", nuclei_path)
    tables: dict[str, str | Path] = {"tiles": tiles_path, "nuclei": nuclei_path}
    found = digests(tables)
    check_made_from("nuclei", nuclei_path, header["provenance"].get("upstream", {}), {"tiles": tiles_path}, found)
    store = None if features_path is None else _store_beside(features_path, slide_id, tables, found)
    origin = origin_l0(tiles.header)
    counts = _write_nuclei(nuclei_path, header, nuclei_geojson_path, slide_id, origin)
    numbers = _patch_numbers(counts, header, tiles, store)
    write_collection(patches_geojson_path, patch_features(tiles.frame, numbers, slide_id=slide_id, origin=origin))


def _store_beside(
    path: str | Path, slide_id: str, tables: Mapping[str, str | Path], found: Mapping[str, str]
) -> FeatureStore:
    """The feature store, computed from these tables; one that was imported does not go by them."""
    store = read_features(path)
    check_store_slide(store.slide_id, slide_id, path)
    used = {role: table for role, table in tables.items() if role in store.upstream}
    check_made_from("features", path, store.upstream, used, found)
    return store


def nuclei_geojson(nuclei_path: str | Path, out_path: str | Path) -> None:
    """Write a nucleus table as QuPath detections.

    Raises
    ------
    ArtefactError
        If the table cannot be read, or holds rows without knowing the slide's pixel size.
    """
    header = read_nuclei_header(nuclei_path)
    _write_nuclei(nuclei_path, header, out_path, str(header["slide_id"]), origin_l0(header))


def _write_nuclei(
    nuclei_path: str | Path, header: Mapping[str, Any], out_path: str | Path, slide_id: str, origin: tuple[int, int]
) -> Counter[int]:
    """Write a table as detections without ever holding it; return the number of nuclei of each tile."""
    counts: Counter[int] = Counter()

    def features() -> Iterator[str]:
        for nuclei in iterate_nuclei(nuclei_path):
            if header["slide_mpp"] is None:
                raise ArtefactError(
                    f"{nuclei_path}: expected the slide's um per pixel beside {len(nuclei)} nuclei, found none. "
                    "Segment it again."
                )
            counts.update(nuclei["tile_id"].tolist())
            yield from nucleus_features(nuclei, slide_id=slide_id, slide_mpp=float(header["slide_mpp"]), origin=origin)

    write_collection(out_path, features())
    return counts


def _patch_numbers(
    counts: Mapping[int, int], nuclei_header: Mapping[str, Any], tiles: HeadedTable, store: FeatureStore | None
) -> dict[int, dict[str, float]]:
    # Nuclei are looked for in kept tiles that can be read: any other tile has no count, not a count of zero.
    unreadable = set(nuclei_header.get("unreadable_tiles", ()))
    kept = set(tiles.frame.loc[tiles.frame["kept"], "tile_id"]) - unreadable
    numbers = {int(tile): {"n_nuclei": float(counts.get(tile, 0))} for tile in kept}
    if store is None:
        return numbers
    # Corners, not ids, join the two: imported stores number their tiles on their own.
    corners = zip(tiles.frame["x_l0"].tolist(), tiles.frame["y_l0"].tolist(), strict=True)
    tile_at = dict(zip(corners, tiles.frame["tile_id"].tolist(), strict=True))
    values = store.features if store.valid is None else np.where(store.valid, store.features, np.nan)
    for node, corner in enumerate(store.coords.tolist()):
        tile = tile_at.get(tuple(corner))
        if tile is not None:
            named = zip(store.feature_names, values[node].tolist(), strict=True)
            numbers.setdefault(int(tile), {}).update({"graph_node": float(node), **dict(named)})
    return numbers
