"""Distances to the nearest nuclei and numbers of nuclei near by, within each tile.

Time and memory grow with the number of nuclei and of neighbours, never with its square.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.graphs import buckets


def neighbours_within(xy: Float64s, offsets: Int64s, radius: float) -> tuple[Int64s, Float64s]:
    """All ordered pairs of points of one tile that are at most ``radius`` apart.

    Returns
    -------
    tuple
        Edges int64 (2, n_edges) in both directions, sorted by source, then target, and their lengths (n_edges,).
    """
    row_offsets, targets, distance = buckets.within(xy, offsets, float(radius))
    return np.stack([np.repeat(np.arange(len(xy)), np.diff(row_offsets)), targets]), distance


def pairs_within(xy: Float64s, offsets: Int64s, radius: float) -> tuple[Int64s, Float64s]:
    """All pairs of points of one tile that are at most ``radius`` apart.

    Returns
    -------
    tuple
        Pairs int64 (2, n_pairs) with first < second, sorted, and their distances (n_pairs,).
    """
    edges, distance = neighbours_within(xy, offsets, radius)
    once = edges[0] < edges[1]
    return edges[:, once], distance[once]


def count_within(xy: Float64s, offsets: Int64s, radii: Sequence[float]) -> Int64s:
    """Number of other points of the same tile at most each radius away, int64 (n, n_radii); ``radii`` increase."""
    return buckets.counts(xy, offsets, np.asarray(radii, np.float64))


def nearest_neighbours(xy: Float64s, offsets: Int64s, k: int) -> tuple[Int64s, Float64s]:
    """Numbers and distances of the ``k`` nearest other points of the tile; see ``buckets.nearest``."""
    return buckets.nearest(xy, offsets, k)


def nearest_distances(xy: Float64s, offsets: Int64s, k: int) -> Float64s:
    """Distances to the ``k`` nearest other points of the tile, nearest first, (n, k); NaN where there are fewer."""
    _, distance = nearest_neighbours(xy, offsets, k)
    return np.where(np.isfinite(distance), distance, np.nan)
