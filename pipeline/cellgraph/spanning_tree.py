"""Euclidean minimum spanning tree of the nuclei of every tile.

The tree is sought among the sides of the Delaunay triangulation, which hold it (Shamos and Hoey 1975), and among all
pairs where a tile has none.  The lengths of a minimum spanning tree are the same for every such tree.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from pipeline.cellgraph.csr import Floats, Ints, offsets_of_tiles, tile_of_each
from pipeline.cellgraph.populations import Populations
from pipeline.cellgraph.triangulation import Triangulation


def branch_lengths(triangulation: Triangulation) -> Populations:
    """Branch lengths of the tree of the distinct sites: one fewer than there are sites."""
    if len(triangulation.xy) == 0:
        return Populations(np.zeros(0), np.zeros_like(triangulation.offsets))
    links = np.concatenate([triangulation.links, *_all_pairs(triangulation)], axis=1)
    lengths = np.hypot(*(triangulation.xy[links[0]] - triangulation.xy[links[1]]).T)
    n_sites = len(triangulation.xy)
    tree = minimum_spanning_tree(coo_array((lengths, (links[0], links[1])), (n_sites, n_sites)).tocsr()).tocoo()
    tile = tile_of_each(triangulation.offsets)[tree.row]
    order = np.argsort(tile, kind="stable")
    return Populations(tree.data[order], offsets_of_tiles(tile[order], len(triangulation.offsets) - 1))


def with_coincident(branches: Populations, n_coincident: Ints) -> Populations:
    """Add to each tree the branches of length 0 that join ``n_coincident`` further nuclei to their site."""
    n_tiles = len(n_coincident)
    tile = np.concatenate([tile_of_each(branches.offsets), np.repeat(np.arange(n_tiles), n_coincident)])
    values: Floats = np.concatenate([branches.values, np.zeros(n_coincident.sum())])
    order = np.argsort(tile, kind="stable")
    return Populations(values[order], offsets_of_tiles(tile[order], n_tiles))


def _all_pairs(triangulation: Triangulation) -> list[Ints]:
    bare = np.flatnonzero(~triangulation.triangulated)
    starts, stops = triangulation.offsets[bare], triangulation.offsets[bare + 1]
    return [
        np.stack(np.triu_indices(stop - start, k=1)) + start
        for start, stop in zip(starts, stops, strict=True)
        if stop - start > 1
    ]
