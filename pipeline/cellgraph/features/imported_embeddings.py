"""Features that another tool made, beside computed ones: matched tile by tile by where the tiles lie.

Coordinates are level-0 pixels (x, y) of the top-left corner of a tile.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from pipeline.arrays import Int64s
from pipeline.artefacts.feature_making import NODE_FEATURES
from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.artefacts.imported_features import read_imported_features
from pipeline.cellgraph.params import EMBEDDING_NAME
from pipeline.errors import ArtefactError, ImportedFileError
from pipeline.logs import get_logger
from pipeline.provenance import file_digest

SAME_TILE = 0.02
"""Corners of one tile may differ by this share of its side: tools round coordinates and pitches differently.  Ours."""

LOG = get_logger("import")


def import_beside(
    imported_path: str | Path, features_path: str | Path, *, name: str, slide_mpp: float | None = None
) -> None:
    """Add features that another tool made to an existing cache, as ``embeddings/{name}``.

    See ``with_embedding``; an embedding of the same name is replaced.

    Raises
    ------
    ArtefactError
        As ``with_embedding``, or if the cache is missing or damaged.
    """
    store = read_features(features_path)
    write_features(features_path, with_embedding(store, imported_path, name=name, slide_mpp=slide_mpp))


def with_embedding(
    store: FeatureStore, imported_path: str | Path, *, name: str, slide_mpp: float | None = None
) -> FeatureStore:
    """``store`` with the features of a file or cache as ``embeddings[name]``, tile by tile.

    A tile gets the features of the imported tile whose top-left corner is nearest, if it is at most ``SAME_TILE`` of
    a side away.  A tile without one gets NaN; tiles without partner on either side are logged and counted in
    ``unmatched``.

    Parameters
    ----------
    store
        A cache.
    imported_path
        ``.h5`` of TRIDENT, CLAM or STAMP, or another cache, of the same slide.
    name
        Name of the embedding: letters, digits, ``.``, ``_`` and ``-``.
    slide_mpp
        um per level-0 pixel; needed where coordinates are in um.

    Raises
    ------
    ImportedFileError
        If the file cannot be used, tiles have another size, or no tile of a store that has some is matched.
    ArtefactError
        If ``slide_mpp`` is needed and missing, or ``name`` is none.
    """
    if not re.fullmatch(EMBEDDING_NAME, name):
        raise ArtefactError(f"embedding name: expected letters, digits, '.', '_' and '-', found {name!r}.")
    imported = read_imported_features(imported_path, slide_id=store.slide_id, slide_mpp=slide_mpp)
    width_l0 = _common_width(store, imported, imported_path)
    partner = match_tiles(store.coords, imported.coords, SAME_TILE * width_l0)
    matched = partner >= 0
    unmatched = {"tiles": int((~matched).sum()), "imported": len(imported.coords) - int(matched.sum())}
    if len(matched) and not matched.any():
        raise ImportedFileError(
            f"{imported_path}: none of its {len(imported.coords)} tiles lies where one of the {len(matched)} tiles of "
            f"{store.slide_id} does. Expected features of the same slide on the same grid of tiles."
        )
    values = np.full((len(matched), imported.features.shape[1]), np.nan, np.float32)
    values[matched] = imported.features[partner[matched]]
    if any(unmatched.values()):
        LOG.warning(
            "%s: embedding %s: %d of %d tiles have none, %d of %d imported tiles have no place",
            *(store.slide_id, name, unmatched["tiles"], len(matched), unmatched["imported"], len(imported.coords)),
        )
    return replace(
        store,
        embeddings={**store.embeddings, name: values},
        unmatched={**store.unmatched, name: unmatched},
        upstream={**store.upstream, f"embeddings/{name}": file_digest(imported_path)},
        networks=_networks(store, imported, f"embeddings/{name}"),
    )


def _networks(store: FeatureStore, imported: FeatureStore, role: str) -> dict[str, str]:
    """Networks of ``store``, and the encoder of the imported features in ``role`` where their file tells it."""
    others = {other: network for other, network in store.networks.items() if other != role}
    encoder = imported.networks.get(NODE_FEATURES)
    return others if encoder is None else {**others, role: encoder}


def match_tiles(coords: Int64s, others: Int64s, tolerance_px: float) -> Int64s:
    """Row of ``others`` (m, 2) that is the same tile as each row of ``coords`` (n, 2); -1 where there is none.

    The nearest within ``tolerance_px`` in x and y; no row of ``others`` is taken twice, the nearest row has it.
    """
    if not len(coords) or not len(others):
        return np.full(len(coords), -1, np.int64)
    distance, row = cKDTree(others).query(coords, p=np.inf, distance_upper_bound=np.nextafter(tolerance_px, np.inf))
    partner = np.where(np.isfinite(distance), row, -1).astype(np.int64)
    # Of several that are nearest to one, the first in order of distance keeps it.
    order = np.lexsort((distance, partner))
    repeated = order[1:][(partner[order][1:] == partner[order][:-1])]
    partner[repeated] = -1
    return partner


def _common_width(store: FeatureStore, imported: FeatureStore, imported_path: str | Path) -> float:
    """Side of a tile in level-0 pixels, of both where both tell."""
    widths = [width for width in (store.tile_width_l0, imported.tile_width_l0) if width is not None]
    if len(widths) == 2 and abs(widths[0] - widths[1]) > SAME_TILE * widths[0]:
        raise ImportedFileError(
            f"{imported_path}: expected tiles of {widths[0]:g} level-0 pixels as in the cache of {store.slide_id}, "
            f"found {widths[1]:g}. Tile both alike (tiling.tile_px, tiling.mpp)."
        )
    return widths[0] if widths else 1.0
