"""Euclidean minimum spanning tree of the nuclei of every tile.

The tree is sought among the sides of the Delaunay triangulation, which hold it (Shamos and Hoey 1975), and among all
pairs where these do not join all sites.  Branch lengths are the same for every minimum spanning tree.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.features.grouped_statistics import GroupedValues
from pipeline.cellgraph.graphs.csr import offsets_of_tiles, tile_of_each
from pipeline.cellgraph.graphs.delaunay import Triangulation
from pipeline.cellgraph.graphs.edge_lists import lengths


def branch_lengths(triangulation: Triangulation) -> GroupedValues:
    """Branch lengths of the tree of the distinct sites: one fewer than there are sites."""
    n_tiles = len(triangulation.offsets) - 1
    branches, tile = _among_sides(triangulation)
    n_branches = np.bincount(tile, minlength=n_tiles)
    torn = np.flatnonzero(n_branches < np.diff(triangulation.offsets) - 1)
    kept = ~np.isin(tile, torn)
    sites = [triangulation.xy[triangulation.offsets[t] : triangulation.offsets[t + 1]] for t in torn]
    whole = np.concatenate([branches[kept], *(_among_all_pairs(places) for places in sites)])
    return _grouped(
        whole, np.concatenate([tile[kept], np.repeat(torn, [len(places) - 1 for places in sites])]), n_tiles
    )


def with_coincident(branches: GroupedValues, n_coincident: Int64s) -> GroupedValues:
    """Add to each tree the branches of length 0 that join ``n_coincident`` (n_tiles,) further nuclei to their site."""
    n_tiles = len(n_coincident)
    tile = np.concatenate([tile_of_each(branches.offsets), np.repeat(np.arange(n_tiles), n_coincident)])
    return _grouped(np.concatenate([branches.values, np.zeros(n_coincident.sum())]), tile, n_tiles)


def _grouped(values: Float64s, tile: Int64s, n_tiles: int) -> GroupedValues:
    order = np.argsort(tile, kind="stable")
    return GroupedValues(values[order], offsets_of_tiles(tile[order], n_tiles))


def _among_sides(triangulation: Triangulation) -> tuple[Float64s, Int64s]:
    """Branch lengths of the minimum spanning forest of the triangles' sides, and their tiles."""
    n_sites, sides = len(triangulation.xy), triangulation.sides
    if n_sites == 0:
        return np.zeros(0), np.zeros(0, np.int64)
    side_lengths = lengths(triangulation.xy, sides[0], sides[1])
    forest = minimum_spanning_tree(coo_array((side_lengths, (sides[0], sides[1])), (n_sites, n_sites)).tocsr()).tocoo()
    return forest.data, tile_of_each(triangulation.offsets)[forest.row]


def _among_all_pairs(sites: Float64s) -> Float64s:
    """Branch lengths of the minimum spanning tree of the complete graph, by Prim's algorithm."""
    left, distance = sites[1:], np.hypot(*(sites[1:] - sites[0]).T)
    branches = np.empty(len(left))
    for step in range(len(branches)):
        nearest = int(distance.argmin())
        branches[step], joined = distance[nearest], left[nearest]
        left, distance = np.delete(left, nearest, axis=0), np.delete(distance, nearest)
        distance = np.minimum(distance, np.hypot(*(left - joined).T))
    return branches
