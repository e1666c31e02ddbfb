"""Nuclei with their axes, and the graph of neighbours among those whose axis is reliable."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Bools, Float64s
from pipeline.cellgraph.features.grouped_statistics import GroupedValues, Summary, summarise
from pipeline.cellgraph.graphs.axes import doubled
from pipeline.cellgraph.graphs.csr import checked_points, offsets_of_tiles, segment_sum
from pipeline.cellgraph.graphs.simple_graph import SimpleGraphs, simple_graphs


@dataclass(frozen=True)
class OrientedGraphs:
    """Nuclei of all patches and the edges between those with a reliable axis.

    Attributes
    ----------
    xy_um
        float64 (n, 2), centroids.
    vectors
        float64 (n, 2), ``exp(2 i theta)``; zero without a reliable axis.
    theta
        float64 (n,), axes in radians; 0 without a reliable axis.
    reliable
        bool (n,).
    graphs
        Neighbours with a reliable axis.
    """

    xy_um: Float64s
    vectors: Float64s
    theta: Float64s
    reliable: Bools
    graphs: SimpleGraphs

    @property
    def n_patches(self) -> int:
        """Number of patches."""
        return len(self.graphs.node_offsets) - 1

    def neighbourhood_means(self) -> Float64s:
        """Mean of ``exp(2 i theta)`` over each nucleus and its neighbours, (n, 2)."""
        sums = self.vectors + segment_sum(self.vectors[self.graphs.edges[1]], self.graphs.edge_offsets)
        means: Float64s = sums / (self.graphs.degree + 1)[:, None]
        return means

    def over_nuclei(self, values: Float64s, chosen: Bools) -> Summary:
        """Statistics by patch of the ``values`` (n,) of the ``chosen`` nuclei."""
        offsets = offsets_of_tiles(self.graphs.tile[chosen], self.n_patches)
        return summarise(GroupedValues(values[chosen], offsets))

    def over_edges(self, values: Float64s, chosen: Bools) -> Summary:
        """Statistics by patch of the ``values`` (n_edges,) of the ``chosen`` edges (n_edges,), both directions."""
        offsets = offsets_of_tiles(self.graphs.tile[self.graphs.edges[0][chosen]], self.n_patches)
        return summarise(GroupedValues(values[chosen], offsets))


def oriented_graphs(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    node_offsets: npt.ArrayLike,
    axis_reliable: npt.ArrayLike | None,
) -> OrientedGraphs:
    """Checked nuclei and edges; see ``orientation_features_batch`` for the arguments.

    Raises
    ------
    ValueError
        If shapes do not fit each other, centroids are not finite, or an edge names a nucleus that is not there or
        leaves its patch.
    """
    points, theta = checked_points(xy_um), np.asarray(orientation_rad, np.float64)
    reliable = np.isfinite(theta) if axis_reliable is None else np.asarray(axis_reliable, np.bool_) & np.isfinite(theta)
    graphs = simple_graphs(node_offsets, edge_index)
    if not len(points) == len(theta) == len(reliable) == len(graphs.tile):
        raise ValueError(
            f"expected one centroid, axis and flag per nucleus, found {len(points)}, {len(theta)} and {len(reliable)} "
            f"for {len(graphs.tile)} nuclei."
        )
    theta = np.where(reliable, theta, 0.0)
    kept = reliable[graphs.edges].all(axis=0)
    if not kept.all():
        graphs = simple_graphs(graphs.node_offsets, graphs.edges[:, kept])
    return OrientedGraphs(points, doubled(theta) * reliable[:, None], theta, reliable, graphs)
