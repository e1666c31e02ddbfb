"""Nuclei and patches of a slide in one heterogeneous graph."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from pipeline.artefacts.features import FeatureStore
from pipeline.exports.graphs.nucleus_graphs import EDGE_MEASURES, MEASURES
from pipeline.exports.graphs.patch_graphs import patch_nodes

NEAR_NUCLEI = ("nucleus", "near", "nucleus")
IN_PATCH = ("nucleus", "in", "patch")


def tissue_graph(
    nuclei: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    store: FeatureStore,
    tiles: pd.DataFrame,
    patch_relations: Mapping[str, Mapping[str, Tensor]],
) -> HeteroData:
    """Heterogeneous graph of a slide.

    Parameters
    ----------
    nuclei
        ``nucleus_nodes`` and ``nucleus_edges``.
    store
        The feature cache, whose rows are the patches.
    tiles
        The tile table, which the owners of the nuclei are rows of.
    patch_relations
        Edges between patches by relation: ``near`` (``near_edges``), ``learned``
        (``learned_edges``).

    Returns
    -------
    HeteroData
        Node types ``nucleus`` and ``patch``; relations ``(nucleus, near, nucleus)``,
        ``(nucleus, in, patch)`` and ``(patch, {relation}, patch)``.  A nucleus of a tile that is
        not in the cache is in no patch.
    """
    nodes, edges = nuclei
    graph = HeteroData()
    graph["nucleus"].update({**nodes, "feature_names": list(MEASURES)})
    graph["patch"].update({**patch_nodes(store), "feature_names": list(store.feature_names)})
    graph[NEAR_NUCLEI].update({**edges, "edge_attr_names": list(EDGE_MEASURES)})
    graph[IN_PATCH].edge_index = _in_patch(nodes["tile_id"], store, tiles)
    for relation, between in patch_relations.items():
        graph["patch", relation, "patch"].update(dict(between))
    return graph


def _in_patch(owner: Tensor, store: FeatureStore, tiles: pd.DataFrame) -> Tensor:
    """Each nucleus and the row of the cache that shows its tile, int64 (2, E)."""
    # Corners, not ids, join the two: imported caches number their tiles on their own.
    patches = pd.DataFrame(
        {"x_l0": store.coords[:, 0], "y_l0": store.coords[:, 1], "patch": np.arange(len(store.coords))}
    )
    patch_of_tile = tiles.merge(patches, on=["x_l0", "y_l0"]).set_index("tile_id")["patch"]
    patch = patch_of_tile.reindex(owner.numpy()).to_numpy(np.float64)
    inside = np.flatnonzero(np.isfinite(patch))
    return torch.from_numpy(np.stack([inside, patch[inside].astype(np.int64)]))
