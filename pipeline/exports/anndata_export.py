"""Feature caches as one AnnData object, for scverse (scanpy, squidpy)."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import block_diag, csr_array

from pipeline.arrays import Float64s
from pipeline.artefacts.atomic import writing
from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import AbignetError, ArtefactError
from pipeline.exports.graphs.tile_calls import PREDICTED, tile_calls
from pipeline.exports.graphs.trained_folds import TrainedFolds

LEARNED = "learned"
"""Name of the learned graph, which scanpy takes as ``neighbors_key``."""

CachedSlide = tuple[SlideRow, FeatureStore]


def export_anndata(
    caches: Sequence[tuple[SlideRow, Path]], path: str | Path, *, trained: TrainedFolds | None = None
) -> int:
    """Write the tiles of a cohort as ``.h5ad``.

    ``X`` is float32 (n_tiles, n_features) with NaN where undefined; ``var_names`` the features; ``obs`` holds
    ``slide_id``, ``case_id``, ``label`` (empty when unknown) and ``tile_id``; ``obsm['spatial']`` the centres of the
    tiles, level-0 pixels (x, y), y down, or their top-left corners where the side is not known; ``obsm['X_{name}']``
    each embedding that every slide with tiles has; ``uns['abignet']`` provenance by slide.  With ``trained``,
    ``obsp['learned_connectivities']`` holds the scores of the learned edges that the classifier used, none of slides
    that no fold tests, and ``uns['learned']`` tells scanpy where they are; ``obs`` has ``predicted`` and
    ``p_{class}`` of the slide, ``strength`` (summed weight of kept edges) and, of slides that were explained,
    ``evidence_{class}`` of the tile, empty and NaN elsewhere.

    Parameters
    ----------
    caches
        Row of the sheet and feature cache of each slide.
    path
        File to write.
    trained
        Learned graphs.

    Returns
    -------
    int
        Number of tiles.

    Raises
    ------
    AbignetError
        If the package ``anndata`` is not installed.
    ArtefactError
        If an artefact cannot be read, no slide has a tile, or the caches hold different features.
    """
    anndata = _anndata()
    slides = [(row, read_features(cache)) for row, cache in caches]
    tiled = [(row, store) for row, store in slides if len(store.features)]
    names = _common_names(tiled, path)
    adata = anndata.AnnData(
        X=np.concatenate([store.features for _, store in tiled]),
        obs=pd.concat([_observations(row, store) for row, store in tiled]),
        var=pd.DataFrame(index=list(names)),
    )
    adata.obsm["spatial"] = np.concatenate([_centres_l0(store) for _, store in tiled])
    for name in sorted(set.intersection(*(set(store.embeddings) for _, store in tiled))):
        adata.obsm[f"X_{name}"] = np.concatenate([store.embeddings[name] for _, store in tiled])
    if trained is not None:
        adata.obsp[f"{LEARNED}_connectivities"] = _connectivities(tiled, trained)
        said = pd.concat([tile_calls(row.slide_id, len(store.features), trained) for row, store in tiled])
        for name in said.columns:
            adata.obs[name] = said[name].fillna("").to_numpy() if name == PREDICTED else said[name].to_numpy()
        keys = {f"{kind}_key": f"{LEARNED}_{kind}" for kind in ("connectivities", "distances")}
        adata.uns[LEARNED] = {**keys, "params": {"method": "abignet", "seed": trained.seed}}
    adata.uns["abignet"] = {row.slide_id: _provenance(store) for row, store in slides}
    with writing(path) as temporary:
        adata.write_h5ad(temporary)
    return int(adata.n_obs)


def _anndata() -> Any:
    try:
        return import_module("anndata")
    except ImportError as error:
        raise AbignetError(
            "export to AnnData needs the package anndata, which is not installed. "
            "Install it beside abignet: pip install 'anndata>=0.10'."
        ) from error


def _common_names(tiled: Sequence[CachedSlide], path: str | Path) -> tuple[str, ...]:
    if not tiled:
        raise ArtefactError(f"{path}: expected at least one slide with tiles, found none; nothing to write.")
    first = tiled[0][1]
    for row, store in tiled:
        if store.feature_names != first.feature_names:
            raise ArtefactError(
                f"{row.slide_id}: expected the {len(first.feature_names)} features of {tiled[0][0].slide_id}, found "
                f"{len(store.feature_names)} that differ. Compute both with the same features.blocks."
            )
    return first.feature_names


def _observations(row: SlideRow, store: FeatureStore) -> pd.DataFrame:
    index = [f"{row.slide_id}:{tile}" for tile in store.tile_id]
    columns = {"slide_id": row.slide_id, "case_id": row.case_id, "label": row.label or "", "tile_id": store.tile_id}
    return pd.DataFrame(columns, index=index)


def _centres_l0(store: FeatureStore) -> Float64s:
    return store.coords + (store.tile_width_l0 or 0.0) / 2.0


def _connectivities(tiled: Sequence[CachedSlide], trained: TrainedFolds) -> Any:
    """Scores of the kept edges, float32 (n_tiles, n_tiles), one block a slide."""
    return csr_array(block_diag([_scores(row.slide_id, len(store.features), trained) for row, store in tiled]))


def _scores(slide_id: str, n_tiles: int, trained: TrainedFolds) -> Any:
    shape = (n_tiles, n_tiles)
    if slide_id not in trained.fold_of:
        return csr_array(shape, dtype=np.float32)
    graph = trained.graph(slide_id, n_tiles)
    return csr_array((graph.weight[graph.kept], graph.edge_index[:, graph.kept]), shape=shape)


def _provenance(store: FeatureStore) -> dict[str, Any]:
    return {"mpp": store.mpp or np.nan, "source": store.source, "reason": store.reason or ""}
