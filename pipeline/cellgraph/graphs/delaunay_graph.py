"""Delaunay neighbours of the nuclei of each tile, whatever their layout.

Nuclei at one place are joined to each other and share the place's neighbours; places on a line, where there is no
triangle, are joined to the next along the line.
"""

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.graphs.csr import offsets_of_counts, tile_of_each
from pipeline.cellgraph.graphs.delaunay import all_triangles, sites_and_members


def delaunay_edges(xy: Float64s, offsets: Int64s) -> tuple[Int64s, Int64s]:
    """Pairs of points joined by a side of the Delaunay triangulation of their tile.

    Parameters
    ----------
    xy
        float64 (n, 2), grouped by tile.
    offsets
        int64 (n_tiles + 1,).

    Returns
    -------
    tuple
        int64 (n_pairs,) each: the two points of each pair, each pair at least once, in one direction or both.
    """
    sites, site_offsets, site = sites_and_members(xy, offsets)
    triangles = all_triangles(sites, site_offsets)
    first, second = _along_lines(site_offsets, triangles)
    ends, other_ends = np.concatenate([triangles.ravel(), first]), np.concatenate([_next_corners(triangles), second])
    if len(sites) < len(xy):
        return _between_members(ends, other_ends, site, len(sites))
    number = np.empty(len(xy), np.int64)
    number[site] = np.arange(len(xy))
    return number[ends], number[other_ends]


def _next_corners(triangles: Int64s) -> Int64s:
    corners: Int64s = np.roll(triangles, -1, axis=1).ravel()
    return corners


def _along_lines(site_offsets: Int64s, triangles: Int64s) -> tuple[Int64s, Int64s]:
    """Successive sites of the tiles without a triangle; sites are in order of x, then y."""
    tile = tile_of_each(site_offsets)
    has_triangles = np.zeros(len(site_offsets) - 1, np.bool_)
    has_triangles[tile[triangles[:, 0]]] = True
    first = np.flatnonzero((tile[:-1] == tile[1:]) & ~has_triangles[tile[:-1]])
    return first, first + 1


def _between_members(ends: Int64s, other_ends: Int64s, site: Int64s, n_sites: int) -> tuple[Int64s, Int64s]:
    """Pairs of points of joined or of the same sites."""
    members = np.argsort(site, kind="stable")
    starts = offsets_of_counts(np.bincount(site, minlength=n_sites))
    shared = np.flatnonzero(np.diff(starts) > 1)
    a, b = np.concatenate([ends, shared]), np.concatenate([other_ends, shared])
    n_a, n_b = np.diff(starts)[a], np.diff(starts)[b]
    n_pairs = n_a * n_b
    place = np.arange(n_pairs.sum()) - np.repeat(offsets_of_counts(n_pairs)[:-1], n_pairs)
    of_a, of_b = np.divmod(place, np.repeat(n_b, n_pairs))
    return members[np.repeat(starts[a], n_pairs) + of_a], members[np.repeat(starts[b], n_pairs) + of_b]
