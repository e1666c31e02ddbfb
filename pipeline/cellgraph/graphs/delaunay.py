"""Delaunay triangulation of the nuclei of every tile.

Nuclei at the very same place are one site.  Sites are put in order of x, then y, before Qhull sees them, so the
result does not depend on the order of the nuclei, not even where four sites lie on one circle and more than one
triangulation is right.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import Delaunay, QhullError

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.cellgraph.graphs.csr import offsets_of_tiles, segment_min, tile_of_each
from pipeline.cellgraph.graphs.delaunay_in_slabs import delaunay_by_slabs
from pipeline.cellgraph.graphs.edge_lists import both_directions
from pipeline.cellgraph.graphs.triangle_geometry import triangle_areas, triangle_sides

FLATNESS = 1e-12
"""Guard: a triangle whose doubled area is below this share of its longest side squared is three sites on a line."""

IN_ONE_PIECE = 200_000
"""Number of sites of a tile, or of a whole slide, up to which Qhull sees them all at once."""


@dataclass(frozen=True)
class Triangulation:
    """Delaunay triangulation of the distinct sites of every tile.

    Attributes
    ----------
    xy
        float64 (n_sites, 2), grouped by tile, each tile moved to its smallest x and y.
    offsets
        int64 (n_tiles + 1,), sites of each tile.
    triangles
        int64 (n_triangles, 3), sites of each triangle, grouped by tile, flat ones left out; none in a tile of fewer
        than three sites, or of sites on a line.
    sides
        int64 (2, n_sides), sides of all triangles, flat ones too, each once, sorted.  They join all sites of a
        tile unless these lie on a line, or so nearly that Qhull left some out.
    """

    xy: Float64s
    offsets: Int64s
    triangles: Int64s
    sides: Int64s

    def tile_offsets(self, sites: Int64s) -> Int64s:
        """Where each tile begins among figures in order of tile that hold one of the ``sites`` each, (n_tiles + 1,)."""
        return offsets_of_tiles(tile_of_each(self.offsets)[sites], len(self.offsets) - 1)


def triangulate(xy: Float64s, offsets: Int64s) -> Triangulation:
    """Triangulate every tile of points ``xy`` (n, 2)."""
    sites, site_offsets = distinct_sites(xy, offsets)
    corners = all_triangles(sites, site_offsets)
    sides = distinct_sides(corners, len(sites))
    return Triangulation(sites, site_offsets, corners[~_flat(sites, corners)], sides)


def all_triangles(sites: Float64s, site_offsets: Int64s) -> Int64s:
    """Delaunay triangles of the distinct ``sites`` of every tile, flat ones too, int64 (n_triangles, 3)."""
    triangles = [np.zeros((0, 3), np.int64)]
    triangles += [_qhull(sites[start:stop]) + start for start, stop in pairwise(site_offsets)]
    return np.concatenate(triangles)


def distinct_sites(xy: Float64s, offsets: Int64s) -> tuple[Float64s, Int64s]:
    """Distinct places (n_sites, 2) of each tile's points, by x then y, less its smallest x and y; and their offsets."""
    sites, site_offsets, _ = sites_and_members(xy, offsets)
    return sites, site_offsets


def sites_and_members(xy: Float64s, offsets: Int64s) -> tuple[Float64s, Int64s, Int64s]:
    """As ``distinct_sites``, and the number of the site of each point, int64 (n,)."""
    order, first = _in_order(xy, offsets)
    site = np.empty(len(xy), np.int64)
    site[order] = np.cumsum(first) - 1
    kept = order[first]
    sites, site_tiles = xy[kept], tile_of_each(offsets)[kept]
    site_offsets = offsets_of_tiles(site_tiles, len(offsets) - 1)
    return sites - segment_min(sites, site_offsets)[site_tiles], site_offsets, site


def _in_order(xy: Float64s, offsets: Int64s) -> tuple[Int64s, Bools]:
    """Points by tile, x and y, and which of them in this order are the first at their place."""
    tile = tile_of_each(offsets)
    order = np.lexsort((xy[:, 1], xy[:, 0], tile))
    points, tiles = xy[order], tile[order]
    first = np.ones(len(points), np.bool_)
    first[1:] = (tiles[1:] != tiles[:-1]) | (points[1:] != points[:-1]).any(axis=1)
    return order, first


def _qhull(sites: Float64s) -> Int64s:
    none = np.zeros((0, 3), np.int64)
    if len(sites) < 3:
        return none
    if len(sites) > IN_ONE_PIECE and (by_slabs := delaunay_by_slabs(sites)) is not None:
        return by_slabs
    try:
        triangles: Int64s = Delaunay(sites).simplices.astype(np.int64)
    except QhullError:
        # Qhull refuses sites on a line, which have no triangle.
        return none
    return triangles


def _flat(xy: Float64s, triangles: Int64s) -> Bools:
    doubled_area = 2.0 * triangle_areas(xy, triangles)
    longest = triangle_sides(xy, triangles).max(axis=1, initial=0.0)
    flat: Bools = doubled_area <= FLATNESS * longest**2
    return flat


def distinct_sides(triangles: Int64s, n_sites: int) -> Int64s:
    """Sides of ``triangles``, each once and sorted, int64 (2, n_sides)."""
    ends = np.concatenate([triangles.T[[i, i - 1]] for i in range(3)], axis=1)
    both, _ = both_directions(ends[0], ends[1], n_sites)
    sides: Int64s = both[:, both[0] < both[1]]
    return sides
