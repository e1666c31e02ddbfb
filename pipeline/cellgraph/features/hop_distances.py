"""Hop distances between all nuclei of a tile and triangles of neighbours, all tiles at once.

A set of nodes of one tile is a row of bits, so that a breadth-first search from every node of every tile takes one
pass over the edges per hop.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.graphs.csr import segment_or, segment_sum
from pipeline.cellgraph.graphs.simple_graph import SimpleGraphs

Bits = npt.NDArray[np.uint64]

MAX_WORDS = 1 << 22
"""Guard: tiles are taken in groups whose edges times bit words stay below this, 32 MiB."""


@dataclass(frozen=True)
class Hops:
    """What the breadth-first searches from each node found.

    Attributes
    ----------
    eccentricity
        int64 (n_nodes,), largest number of hops to a reachable node.
    total
        int64 (n_nodes,), sum of hops to all reachable nodes.
    reached
        int64 (n_nodes,), number of reachable nodes without the node itself.
    triangles
        int64 (n_nodes,), number of pairs of neighbours that are joined.
    """

    eccentricity: Int64s
    total: Int64s
    reached: Int64s
    triangles: Int64s


def hop_statistics(graphs: SimpleGraphs) -> Hops:
    """Hops from every node within its tile."""
    columns = np.zeros((4, len(graphs.tile)), np.int64)
    for first, last in _groups(graphs):
        start, stop = graphs.node_offsets[first], graphs.node_offsets[last]
        edge_start, edge_stop = graphs.edge_offsets[start], graphs.edge_offsets[stop]
        rows = graphs.edge_offsets[start : stop + 1] - edge_start
        local = np.arange(start, stop) - graphs.node_offsets[graphs.tile[start:stop]]
        columns[:, start:stop] = _search(graphs.edges[:, edge_start:edge_stop] - start, rows, local)
    return Hops(*columns)


def _groups(graphs: SimpleGraphs) -> Iterator[tuple[int, int]]:
    """Runs of tiles, first and one past the last, small enough to be searched together."""
    n_edges = np.diff(graphs.edge_offsets[graphs.node_offsets])
    words = -(-np.diff(graphs.node_offsets) // 64)
    first, edges, width = 0, 0, 0
    for tile in range(len(words)):
        if tile > first and (edges + n_edges[tile]) * max(width, words[tile]) > MAX_WORDS:
            yield first, tile
            first, edges, width = tile, 0, 0
        edges, width = edges + n_edges[tile], max(width, words[tile])
    if len(words):
        yield first, len(words)


def _search(edges: Int64s, rows: Int64s, local: Int64s) -> Int64s:
    """Eccentricity, sum of hops, number reached and triangles, (4, n_nodes)."""
    eccentricity, total, reached = np.zeros((3, len(local)), np.int64)
    seen = _own_bit(local)
    neighbours = segment_or(seen[edges[1]], rows)
    fresh, hops = neighbours, 1
    while (n_fresh := np.bitwise_count(fresh).sum(axis=1, dtype=np.int64)).any():
        eccentricity[n_fresh > 0] = hops
        total += hops * n_fresh
        reached += n_fresh
        seen = seen | fresh
        fresh, hops = segment_or(fresh[edges[1]], rows) & ~seen, hops + 1
    shared = np.bitwise_count(neighbours[edges[0]] & neighbours[edges[1]]).sum(axis=1, dtype=np.int64)
    return np.stack([eccentricity, total, reached, segment_sum(shared, rows) // 2])


def _own_bit(local: Int64s) -> Bits:
    bits = np.zeros((len(local), int(local.max(initial=0)) // 64 + 1), np.uint64)
    bits[np.arange(len(local)), local // 64] = np.uint64(1) << (local % 64).astype(np.uint64)
    return bits


def local_clustering(hops: Hops, degree: Int64s) -> Float64s:
    """Share of the pairs of a node's neighbours that are joined (Watts and Strogatz 1998); 0 below two neighbours."""
    pairs = degree * (degree - 1) // 2
    share: Float64s = hops.triangles / np.maximum(pairs, 1)
    return share


def closeness(hops: Hops, tile_size: Int64s) -> Float64s:
    """Closeness of each node, scaled by the share of the tile it reaches (Wasserman and Faust 1994).

    ``reached / total * reached / (tile_size - 1)``; 0 for a node that reaches none.
    """
    scaled: Float64s = hops.reached**2 / np.maximum(hops.total * (tile_size - 1), 1)
    return scaled
