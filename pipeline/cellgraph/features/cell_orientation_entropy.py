"""Cell Orientation Entropy (COrE) over local graphs: thirteen statistics of each, pooled over a patch.

Lee, Ali, Veltri, Epstein, Christudass and Madabhushi 2013 ("Cell orientation entropy (COrE): predicting biochemical
recurrence from prostate cancer tissue microarrays", MICCAI): a co-occurrence matrix of the axes of neighbouring nuclei
for each local graph, thirteen statistics of each matrix, their mean, SD and range over the local graphs, 39 values.

``core_features_batch`` is invariant: a local graph is a nucleus with its neighbours and all edges among them, axes are
taken relative to the mean axis of its nuclei, and their differences are axial.  ``published_core_features_batch`` is
the published form and **not invariant**: a local graph is a cluster (connected component), bins are those of the
image's own frame and their differences plain, so a turned section has other values.

Nuclei without a reliable axis have no part.  One statistic is pooled over the local graphs that define it.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.features.axis_cooccurrence import (
    BIN_RAD,
    CORE_NAMES,
    N_BINS,
    neighbourhood_statistics,
    plain_statistics,
)
from pipeline.cellgraph.features.grouped_statistics import GroupedValues, summarise
from pipeline.cellgraph.features.oriented_graphs import oriented_graphs
from pipeline.cellgraph.graphs.axes import mean_axis
from pipeline.cellgraph.graphs.csr import offsets_of_tiles, segment_max, segment_min

POOLED = ("mean", "sd", "range")

CORE_FEATURE_NAMES = tuple(f"{name.replace('core_', 'core_local_')}_{p}" for name in CORE_NAMES for p in POOLED)
"""Names of the 39 invariant features: statistic by statistic its mean, sample SD and range over local graphs."""

PUBLISHED_CORE_FEATURE_NAMES = tuple(
    f"{name.replace('core_', 'core_published_')}_{p}" for name in CORE_NAMES for p in POOLED
)
"""Names of the 39 published features, which turn with the section."""


def core_features_batch(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    node_offsets: npt.ArrayLike,
    *,
    axis_reliable: npt.ArrayLike | None = None,
) -> Float64s:
    """Invariant COrE of the nuclei of many patches.

    Parameters
    ----------
    xy_um, orientation_rad, edge_index, node_offsets, axis_reliable
        As in ``orientation_features_batch``; centroids do not matter.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 39), see ``CORE_FEATURE_NAMES``; NaN for a patch without an edge, SDs of one local graph,
        and a statistic that no local graph defines.

    Raises
    ------
    ValueError
        As ``orientation_features_batch``.
    """
    axes = oriented_graphs(xy_um, orientation_rad, edge_index, node_offsets, axis_reliable)
    graphs = axes.graphs
    reference = np.where(graphs.degree > 0, mean_axis(axes.neighbourhood_means()), np.nan)
    statistics = neighbourhood_statistics(graphs.edge_offsets, graphs.edges[1], axes.theta, reference)
    return _pooled(statistics, graphs.tile, axes.n_patches)


def published_core_features_batch(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    node_offsets: npt.ArrayLike,
    *,
    axis_reliable: npt.ArrayLike | None = None,
) -> Float64s:
    """Published COrE of the nuclei of many patches; its values turn with the section.

    Parameters
    ----------
    xy_um, orientation_rad, edge_index, node_offsets, axis_reliable
        As in ``orientation_features_batch``; centroids do not matter.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 39), see ``PUBLISHED_CORE_FEATURE_NAMES``; NaN as in ``core_features_batch``.

    Raises
    ------
    ValueError
        As ``orientation_features_batch``.
    """
    axes = oriented_graphs(xy_um, orientation_rad, edge_index, node_offsets, axis_reliable)
    edges = axes.graphs.edges[:, axes.graphs.edges[0] < axes.graphs.edges[1]]
    cluster, tile = _clusters(edges, axes.graphs.tile)
    bins = np.minimum((np.mod(axes.theta, np.pi) / BIN_RAD).astype(np.int64), N_BINS - 1)
    order = np.argsort(cluster, kind="stable")
    statistics = plain_statistics(bins[edges[:, order]], offsets_of_tiles(cluster[order], len(tile)))
    return _pooled(statistics, tile, axes.n_patches)


def _clusters(edges: Int64s, tile: Int64s) -> tuple[Int64s, Int64s]:
    """Cluster of each edge, and the tile of each cluster; clusters go by tile, single nuclei are none."""
    if not edges.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ones = np.ones(edges.shape[1], np.int8)
    _, label = connected_components(coo_array((ones, tuple(edges)), (len(tile), len(tile))), directed=False)
    _, first, cluster = np.unique(label[edges[0]], return_index=True, return_inverse=True)
    tiles = tile[edges[0][first]]
    order = np.argsort(tiles, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[cluster], tiles[order]


def _pooled(statistics: Float64s, tile: Int64s, n_tiles: int) -> Float64s:
    """Mean, SD and range of each statistic over the local graphs of each tile, (n_tiles, 39)."""
    columns = []
    for values in statistics.T:
        defined = ~np.isnan(values)
        grouped = GroupedValues(values[defined], offsets_of_tiles(tile[defined], n_tiles))
        summary = summarise(grouped)
        extent = segment_max(grouped.values, grouped.offsets) - segment_min(grouped.values, grouped.offsets)
        columns += [summary.mean, summary.sd, extent]
    return np.stack(columns, axis=1)
