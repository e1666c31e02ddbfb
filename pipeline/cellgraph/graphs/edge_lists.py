"""Edge lists in both directions, sorted and without repeats, and their lengths; linear in their number."""

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.compiled import compiled


@compiled
def both_directions(ends: Int64s, other_ends: Int64s, n_nodes: int) -> tuple[Int64s, Int64s]:
    """Every edge once in either direction.

    Parameters
    ----------
    ends, other_ends
        int64 (n_edges,), in one direction or both; repeats and self-loops are dropped.
    n_nodes
        Number of nodes, below 2^31.

    Returns
    -------
    tuple
        int64 (2, 2 m), sorted by source, then target; and row offsets int64 (n_nodes + 1,).
    """
    begins = np.zeros(n_nodes + 1, np.int64)
    for a, b in zip(ends, other_ends):  # noqa: B905
        if a != b:
            begins[a + 1] += 1
            begins[b + 1] += 1
    begins = np.cumsum(begins)
    filled, targets = begins[:-1].copy(), np.empty(begins[-1], np.int32)
    for a, b in zip(ends, other_ends):  # noqa: B905
        if a != b:
            targets[filled[a]] = b
            filled[a] += 1
            targets[filled[b]] = a
            filled[b] += 1
    offsets, n_edges = np.zeros(n_nodes + 1, np.int64), 0
    for node in range(n_nodes):
        row = targets[begins[node] : begins[node + 1]]
        row.sort()
        for place in range(len(row)):
            if place == 0 or row[place] != row[place - 1]:
                n_edges += 1
        offsets[node + 1] = n_edges
    edges = np.empty((2, n_edges), np.int64)
    for node in range(n_nodes):
        row, free = targets[begins[node] : begins[node + 1]], offsets[node]
        for place in range(len(row)):
            if place == 0 or row[place] != row[place - 1]:
                edges[0, free], edges[1, free] = node, row[place]
                free += 1
    return edges, offsets


@compiled
def lengths(xy: Float64s, ends: Int64s, other_ends: Int64s) -> Float64s:
    """Distance between the ends of each edge, float64 (n_edges,), in the unit of ``xy`` (n, 2)."""
    distances = np.empty(len(ends))
    for edge in range(len(ends)):
        dx, dy = xy[other_ends[edge], 0] - xy[ends[edge], 0], xy[other_ends[edge], 1] - xy[ends[edge], 1]
        distances[edge] = np.sqrt(dx * dx + dy * dy)
    return distances
