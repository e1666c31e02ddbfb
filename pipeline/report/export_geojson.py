"""Nuclei and patches of a slide for QuPath."""

from pathlib import Path

import numpy as np

from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger
from pipeline.report.geojson import nucleus_features, origin_l0, patch_features, write_collection

log = get_logger("report")


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

    Nuclei become ``detection`` objects with their measures; patches become
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
        If a table cannot be read, or holds rows without knowing the slide's pixel size.
    """
    tiles, nuclei = read_tiles(tiles_path), read_nuclei(nuclei_path)
    store = read_features(features_path) if features_path is not None else None
    origin = origin_l0(tiles.header)
    _write_nuclei(nuclei, nuclei_path, nuclei_geojson_path, slide_id, origin)
    numbers = _patch_numbers(nuclei, tiles, store)
    write_collection(patches_geojson_path, patch_features(tiles.frame, numbers, slide_id=slide_id, origin=origin))


def nuclei_geojson(nuclei_path: str | Path, out_path: str | Path) -> int:
    """Write a nucleus table as QuPath detections; return how many were written.

    Raises
    ------
    ArtefactError
        If the table cannot be read, or holds rows without knowing the slide's pixel size.
    """
    nuclei = read_nuclei(nuclei_path)
    return _write_nuclei(nuclei, nuclei_path, out_path, str(nuclei.header["slide_id"]), origin_l0(nuclei.header))


def _write_nuclei(
    nuclei: HeadedTable, nuclei_path: str | Path, out_path: str | Path, slide_id: str, origin: tuple[int, int]
) -> int:
    slide_mpp = nuclei.header["slide_mpp"]
    if slide_mpp is None and len(nuclei.frame):
        raise ArtefactError(
            f"{nuclei_path}: expected the slide's um per pixel beside {len(nuclei.frame)} nuclei, found none. "
            "Segment it again."
        )
    features = nucleus_features(nuclei.frame, slide_id=slide_id, slide_mpp=float(slide_mpp or 1.0), origin=origin)
    written = write_collection(out_path, features)
    if written < len(nuclei.frame):
        log.warning(
            "slide %s: %d of %d nuclei have a contour without area and are not in %s",
            slide_id,
            len(nuclei.frame) - written,
            len(nuclei.frame),
            Path(out_path).name,
        )
    return written


def _patch_numbers(nuclei: HeadedTable, tiles: HeadedTable, store: FeatureStore | None) -> dict[int, dict[str, float]]:
    counts = nuclei.frame["tile_id"].value_counts()
    # Nuclei are looked for in kept tiles that can be read: any other tile has no count, not a count of zero.
    unreadable = set(nuclei.header.get("unreadable_tiles", ()))
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
