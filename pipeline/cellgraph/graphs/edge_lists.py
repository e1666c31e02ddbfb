"""Edge lists in both directions, sorted and without repeats, and what each edge measures; linear in their number."""

import numpy as np

from pipeline.cellgraph.graphs.csr import Floats, Ints
from pipeline.compiled import compiled


@compiled
def both_directions(ends: Ints, other_ends: Ints, n_nodes: int) -> tuple[Ints, Ints]:
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
def lengths(xy: Floats, ends: Ints, other_ends: Ints) -> Floats:
    """Distance between the ends of each edge, float64 (n_edges,), in the unit of ``xy`` (n, 2)."""
    distances = np.empty(len(ends))
    for edge in range(len(ends)):
        dx, dy = xy[other_ends[edge], 0] - xy[ends[edge], 0], xy[other_ends[edge], 1] - xy[ends[edge], 1]
        distances[edge] = np.sqrt(dx * dx + dy * dy)
    return distances


@compiled
def angles_between_axes(theta: Floats, edges: Ints) -> Floats:
    """Angle between the axes of the two ends of each edge in radians, 0 to pi/2; NaN where one is not finite."""
    angles = np.empty(edges.shape[1])
    for edge in range(len(angles)):
        turn = (theta[edges[0, edge]] - theta[edges[1, edge]]) % np.pi
        angles[edge] = min(turn, np.pi - turn) if np.isfinite(turn) else np.nan
    return angles


@compiled
def angles_to_axis(xy: Floats, theta: Floats, edges: Ints) -> Floats:
    """Angle between each edge and the axis of its source in radians, 0 to pi/2.

    NaN where that axis is not finite or the ends coincide.
    """
    angles = np.empty(edges.shape[1])
    for edge in range(len(angles)):
        source, target = edges[0, edge], edges[1, edge]
        dx, dy = xy[target, 0] - xy[source, 0], xy[target, 1] - xy[source, 1]
        turn = (np.arctan2(dy, dx) - theta[source]) % np.pi
        angles[edge] = min(turn, np.pi - turn) if np.isfinite(turn) and (dx != 0.0 or dy != 0.0) else np.nan
    return angles
