"""Feature caches as one AnnData object, for scverse (scanpy, squidpy)."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import AbignetError, ArtefactError


def export_anndata(caches: Sequence[tuple[SlideRow, Path]], path: str | Path) -> int:
    """Write the tiles of a cohort as ``.h5ad``.

    ``X`` is float32 (n_tiles, n_features) with NaN where undefined; ``var_names`` the features; ``obs`` holds
    ``slide_id``, ``case_id``, ``label`` (empty when unknown) and ``tile_id``; ``obsm['spatial']`` the centres of the
    tiles, level-0 pixels (x, y), y down, or their top-left corners where the side is not known; ``obsm['X_{name}']``
    each embedding that every slide has; ``uns['abignet']`` provenance by slide.

    Parameters
    ----------
    caches
        Row of the sheet and feature cache of each slide.
    path
        File to write.

    Returns
    -------
    int
        Number of tiles.

    Raises
    ------
    AbignetError
        If the package ``anndata`` is not installed.
    ArtefactError
        If a cache cannot be read or the caches hold different features.
    """
    anndata = _anndata()
    stores = [(row, read_features(cache)) for row, cache in caches]
    names = stores[0][1].feature_names if stores else ()
    for row, store in stores:
        if store.feature_names != names:
            raise ArtefactError(
                f"{row.slide_id}: expected the {len(names)} features of {stores[0][0].slide_id}, found "
                f"{len(store.feature_names)} that differ. Compute both with the same features.blocks."
            )
    adata = anndata.AnnData(
        X=np.concatenate([store.features for _, store in stores]),
        obs=pd.concat([_observations(row, store) for row, store in stores]),
        var=pd.DataFrame(index=list(names)),
    )
    adata.obsm["spatial"] = np.concatenate([_centres(store) for _, store in stores])
    for name in sorted(set.intersection(*(set(store.embeddings) for _, store in stores))):
        adata.obsm[f"X_{name}"] = np.concatenate([store.embeddings[name] for _, store in stores])
    adata.uns["abignet"] = {
        store.slide_id: {"mpp": store.mpp or np.nan, "source": store.source, "reason": store.reason or ""}
        for _, store in stores
    }
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


def _observations(row: SlideRow, store: FeatureStore) -> pd.DataFrame:
    index = [f"{row.slide_id}:{tile}" for tile in store.tile_id]
    columns = {"slide_id": row.slide_id, "case_id": row.case_id, "label": row.label or "", "tile_id": store.tile_id}
    return pd.DataFrame(columns, index=index)


def _centres(store: FeatureStore) -> np.ndarray[Any, np.dtype[np.float64]]:
    return store.coords + (store.tile_width_l0 or 0.0) / 2.0
