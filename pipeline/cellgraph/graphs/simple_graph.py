"""Undirected simple graphs of all tiles of a slide, one block each, from any list of edges."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Int64s
from pipeline.cellgraph.graphs.csr import checked_offsets, tile_of_each
from pipeline.cellgraph.graphs.edge_lists import both_directions


@dataclass(frozen=True)
class SimpleGraphs:
    """One undirected graph without loops or multiple edges per tile.

    Attributes
    ----------
    node_offsets
        int64 (n_tiles + 1,).
    tile
        int64 (n_nodes,), tile of each node.
    edges
        int64 (2, 2 m), both directions of m edges, sorted by source, then target; nodes numbered over the whole slide.
    edge_offsets
        int64 (n_nodes + 1,), edges by source.
    """

    node_offsets: Int64s
    tile: Int64s
    edges: Int64s
    edge_offsets: Int64s

    @property
    def degree(self) -> Int64s:
        """Number of neighbours of each node, int64 (n_nodes,)."""
        return np.diff(self.edge_offsets)


def simple_graphs(node_offsets: npt.ArrayLike, edge_index: npt.ArrayLike) -> SimpleGraphs:
    """Graphs of all tiles.

    Parameters
    ----------
    node_offsets
        int (n_tiles + 1,); tile t has nodes ``node_offsets[t]`` up to ``node_offsets[t + 1]``.
    edge_index
        int (2, n_edges), nodes numbered over the whole slide, in one direction or both; repeats and self-loops are
        dropped.

    Raises
    ------
    ValueError
        If ``edge_index`` has another shape, names a node that is not there or joins two tiles.
    """
    offsets = checked_offsets(node_offsets, int(np.asarray(node_offsets).ravel()[-1]))
    n_nodes = int(offsets[-1])
    edges = checked_edges(edge_index, n_nodes)
    tile = tile_of_each(offsets)
    if (tile[edges[0]] != tile[edges[1]]).any():
        raise ValueError(f"edges must stay within their tile; {int((tile[edges[0]] != tile[edges[1]]).sum())} do not.")
    both, edge_offsets = both_directions(edges[0], edges[1], n_nodes)
    return SimpleGraphs(offsets, tile, both, edge_offsets)


def checked_edges(edge_index: npt.ArrayLike, n_nodes: int) -> Int64s:
    """``edge_index`` as int64 (2, n_edges); an empty sequence is (2, 0).

    Raises
    ------
    ValueError
        If the shape differs, or an end is not an integer from 0 to ``n_nodes`` - 1.
    """
    edges = np.asarray(edge_index)
    if edges.size == 0:
        return np.zeros((2, 0), np.int64)
    if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        raise ValueError(f"edge_index must be integers of shape (2, n_edges), found {edges.shape}, {edges.dtype}.")
    if edges.min() < 0 or edges.max() >= n_nodes:
        raise ValueError(f"edge_index must name nodes 0 to {n_nodes - 1}, found {edges.min()} to {edges.max()}.")
    return edges.astype(np.int64)
