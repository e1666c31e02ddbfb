"""The 18 graph features of ABiG-Net: connectivity, hop distances and spectra of the cell graph of a patch.

Paul et al. 2025 (arXiv 2510.13188); the set goes back to Bilgin, Demir, Nagi and Yener 2007 ("Cell-graph mining for
breast tissue modeling and classification").  Distances are hops.  Eccentricity is taken over *reachable* nuclei, so
an isolated nucleus has 0 and makes the radius 0.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.features.graph_spectra import SPECTRAL_FEATURE_NAMES, spectral_features
from pipeline.cellgraph.features.hop_distances import Hops, closeness, hop_statistics, local_clustering
from pipeline.cellgraph.graphs.csr import checked_offsets, segment_max, segment_min, segment_sum, tile_of_each
from pipeline.cellgraph.graphs.simple_graph import SimpleGraphs, checked_edges, simple_graphs

GRAPH_FEATURE_NAMES = (
    "clustering_mean",
    "degree_mean",
    "n_components",
    "giant_component_share",
    "n_vertices",
    "n_edges",
    "eccentricity_mean",
    "radius",
    "diameter",
    "n_central_points",
    "central_points_percent",
    "closeness_mean",
    *SPECTRAL_FEATURE_NAMES,
)
"""Names of the 18 features, in the paper's order."""


def graph_features(n_nuclei: int, edge_index: npt.ArrayLike) -> Float64s:
    """Graph features of the cell graph of one patch.

    Parameters
    ----------
    n_nuclei
        Number of nodes, 0 or more.
    edge_index
        int (2, n_edges), ends 0 to ``n_nuclei`` - 1, in one direction or both; repeats and self-loops do not count.

    Returns
    -------
    numpy.ndarray
        float64 (18,), see ``GRAPH_FEATURE_NAMES`` and ``docs/features.md``; NaN where undefined.

    Raises
    ------
    ValueError
        If ``edge_index`` has another shape or names a node that is not there.
    """
    features: Float64s = graph_features_batch(np.array([0, n_nuclei]), edge_index)[0]
    return features


def graph_features_batch(
    node_offsets: npt.ArrayLike, edge_index: npt.ArrayLike, edge_offsets: npt.ArrayLike | None = None
) -> Float64s:
    """Graph features of the cell graphs of many patches.

    Parameters
    ----------
    node_offsets
        int (n_patches + 1,); patch p has nodes ``node_offsets[p]`` up to ``node_offsets[p + 1]``.
    edge_index
        int (2, n_edges), nodes numbered over all patches, in one direction or both; repeats and self-loops do not
        count.
    edge_offsets
        int (n_patches + 1,), optional: where the edges of each patch begin; checked against ``edge_index``.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 18), each row as ``graph_features`` of its patch.

    Raises
    ------
    ValueError
        If an edge leaves its patch or names a node that is not there, or offsets do not fit.
    """
    graphs = simple_graphs(node_offsets, edge_index)
    if edge_offsets is not None:
        _check_edge_offsets(graphs, edge_index, edge_offsets)
    n_nodes = np.diff(graphs.node_offsets)
    hops = hop_statistics(graphs)
    columns = [*_connectivity(graphs, hops), *_distances(graphs, hops)]
    features: Float64s = np.concatenate([np.stack(columns, axis=1, dtype=np.float64), _spectral_rows(graphs)], axis=1)
    # Of a patch without nuclei the counts alone are defined.
    counts = [GRAPH_FEATURE_NAMES.index(name) for name in ("n_components", "n_vertices", "n_edges")]
    features[np.ix_(n_nodes == 0, np.setdiff1d(np.arange(features.shape[1]), counts))] = np.nan
    return features


def _check_edge_offsets(graphs: SimpleGraphs, edge_index: npt.ArrayLike, edge_offsets: npt.ArrayLike) -> None:
    edges = checked_edges(edge_index, len(graphs.tile))
    offsets = checked_offsets(edge_offsets, edges.shape[1])
    if len(offsets) != len(graphs.node_offsets) or (graphs.tile[edges[0]] != tile_of_each(offsets)).any():
        raise ValueError("edge_offsets do not fit: an edge lies outside the rows of its patch.")


def _connectivity(graphs: SimpleGraphs, hops: Hops) -> list[npt.NDArray[np.generic]]:
    """Features 1-6."""
    n_nodes = np.diff(graphs.node_offsets)
    n_edges = np.diff(graphs.edge_offsets[graphs.node_offsets]) // 2
    clustering = segment_sum(local_clustering(hops, graphs.degree), graphs.node_offsets)
    giant = segment_max((hops.reached + 1).astype(np.float64), graphs.node_offsets)
    size = np.maximum(n_nodes, 1)
    return [clustering / size, 2 * n_edges / size, _n_components(graphs), giant / size, n_nodes, n_edges]


def _n_components(graphs: SimpleGraphs) -> Int64s:
    n_nodes = len(graphs.tile)
    if n_nodes == 0:
        return np.zeros(len(graphs.node_offsets) - 1, np.int64)
    ones = np.ones(graphs.edges.shape[1], np.int8)
    _, label = connected_components(coo_array((ones, tuple(graphs.edges)), (n_nodes, n_nodes)), directed=False)
    _, first = np.unique(label, return_index=True)
    return np.bincount(graphs.tile[first], minlength=len(graphs.node_offsets) - 1)


def _distances(graphs: SimpleGraphs, hops: Hops) -> list[Float64s]:
    """Features 7-12."""
    offsets = graphs.node_offsets
    n_nodes = np.diff(offsets)
    size = np.maximum(n_nodes, 1)
    eccentricity = hops.eccentricity.astype(np.float64)
    radius = segment_min(eccentricity, offsets)
    central = segment_sum((eccentricity == np.repeat(radius, n_nodes)).astype(np.float64), offsets)
    near = segment_sum(closeness(hops, n_nodes[graphs.tile]), offsets)
    return [
        segment_sum(eccentricity, offsets) / size,
        radius,
        segment_max(eccentricity, offsets),
        central,
        100.0 * central / size,
        near / size,
    ]


def _spectral_rows(graphs: SimpleGraphs) -> Float64s:
    """Features 13-18."""
    rows = np.full((len(graphs.node_offsets) - 1, len(SPECTRAL_FEATURE_NAMES)), np.nan)
    edge_offsets = graphs.edge_offsets[graphs.node_offsets]
    for tile, (start, stop) in enumerate(pairwise(graphs.node_offsets)):
        if stop > start:
            edges = graphs.edges[:, edge_offsets[tile] : edge_offsets[tile + 1]] - start
            rows[tile] = spectral_features(int(stop - start), edges)
    return rows
