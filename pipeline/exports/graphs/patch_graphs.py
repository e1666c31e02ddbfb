"""Patch graphs: rows of the feature cache as nodes, joined by place or by what was learned.

Frames: ``coords_l0`` are level-0 pixels (x, y) of a tile's top-left corner; ``pos`` are
micrometres (x, y) of its centre, the same origin and axes, y down.
"""

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor
from torch_geometric.data import Data

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.features import FeatureStore
from pipeline.artefacts.learned_graphs import LearnedGraph


def patch_graph(store: FeatureStore, edges: dict[str, Tensor]) -> Data:
    """Graph of the patches of a slide; node i is row i of its feature cache.

    Parameters
    ----------
    store
        The feature cache.
    edges
        ``near_edges`` or ``learned_edges``.

    Returns
    -------
    Data
        See ``patch_nodes``; ``feature_names`` name the columns of ``x``.
    """
    return Data(**patch_nodes(store), **edges, feature_names=list(store.feature_names))


def patch_nodes(store: FeatureStore) -> dict[str, Tensor]:
    """Attributes of the patches.

    Returns
    -------
    dict
        ``x`` float32 (n, d), NaN where undefined; ``valid`` bool (n, d), where it is not;
        ``pos`` float32 (n, 2), um, NaN where the slide's pixel size is not known;
        ``coords_l0`` int64 (n, 2); ``tile_id`` int64 (n,); ``x_{name}`` float32 (n, d) each
        embedding of the cache.
    """
    valid = ~np.isnan(store.features) if store.valid is None else store.valid
    embeddings = {f"x_{name}": torch.from_numpy(values) for name, values in store.embeddings.items()}
    return {
        "x": torch.from_numpy(store.features),
        "valid": torch.from_numpy(valid),
        "pos": torch.from_numpy(centres_um(store).astype(np.float32)),
        "coords_l0": torch.from_numpy(store.coords),
        "tile_id": torch.from_numpy(store.tile_id),
        **embeddings,
    }


def centres_um(store: FeatureStore) -> Float64s:
    """Centres of the tiles, float64 (n, 2) in um; NaN where the cache does not tell the slide's pixel size."""
    if not (store.mpp and store.tile_px and store.tile_width_l0):
        return np.full(store.coords.shape, np.nan)
    slide_mpp = store.tile_px * store.mpp / store.tile_width_l0
    return np.asarray((store.coords + store.tile_width_l0 / 2) * slide_mpp, np.float64)


def near_edges(coords_l0: Int64s, n_nearest: int) -> dict[str, Tensor]:
    """Edges between each patch and its nearest ones, made mutual, sorted by source then target.

    Parameters
    ----------
    coords_l0
        int64 (n, 2).
    n_nearest
        Neighbours that a patch looks for; all others where there are not as many.

    Returns
    -------
    dict
        ``edge_index`` int64 (2, E), both directions, no self-loops, no edge twice.
    """
    n_patches = len(coords_l0)
    n_nearest = min(n_nearest, n_patches - 1)
    if n_nearest < 1:
        return {"edge_index": torch.zeros(2, 0, dtype=torch.int64)}
    _, nearest = KDTree(coords_l0).query(coords_l0, k=n_nearest + 1)
    source = np.repeat(np.arange(n_patches), n_nearest + 1)
    one_way = np.stack([source, nearest.ravel()])[:, source != nearest.ravel()]
    both = np.unique(np.concatenate([one_way, one_way[::-1]], axis=1), axis=1)
    return {"edge_index": torch.from_numpy(both.astype(np.int64))}


def learned_edges(graph: LearnedGraph) -> dict[str, Tensor]:
    """Edges of a learned graph, all that are stored.

    Returns
    -------
    dict
        ``edge_index`` int64 (2, E), both directions; ``edge_weight`` float32 (E,), the score in
        [0, 1]; ``edge_kept`` bool (E,), whether the classifier used it.
    """
    return {
        "edge_index": torch.from_numpy(graph.edge_index),
        "edge_weight": torch.from_numpy(graph.weight),
        "edge_kept": torch.from_numpy(graph.kept),
    }
