"""Delaunay triangulation of very many sites, slab by slab: less time and memory than all at once, the same triangles.

A triangle is Delaunay when no site lies inside its circumcircle.  A slab of the plane that holds the whole circle
holds all sites that could, so there the slab decides.  Sites whose triangles do not close around them, at the convex
hull and where a circle leaves its slab, are triangulated once more among themselves, and triangles with an empty
circle are kept.  The area of the convex hull tells whether any is missing.
"""

from itertools import pairwise

import numpy as np
from scipy.spatial import ConvexHull, Delaunay, QhullError, cKDTree

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.graphs.edge_lists import both_directions
from pipeline.cellgraph.graphs.triangle_geometry import circumcentres, circumradii, triangle_areas

SITES_PER_SLAB = 50_000
"""Without the rim; has no influence on the triangles, but on how long they take."""

MARGIN_SPACINGS = 4.0
"""Width of the rim that neighbouring slabs share, in mean distances of sites."""

ROUNDING = 1e-9
"""Guard: circles are empty and areas equal up to this share."""


def delaunay_by_slabs(sites: Float64s, *, sites_per_slab: int = SITES_PER_SLAB) -> Int64s | None:
    """Delaunay triangles of distinct ``sites`` (n, 2) in order of x, int64 (n_triangles, 3).

    None where slabs do not tell: sites on a line, or many on one circle, such as a grid.
    """
    try:
        triangles = _inside_slabs(sites, sites_per_slab)
        open_sites = _open_sites(triangles, len(sites))
        triangles = np.concatenate([triangles, _between(sites, open_sites, triangles)])
        hull_area = float(ConvexHull(sites).volume)
    except QhullError:
        # Sites of a slab, or all of them, lie on a line.
        return None
    whole = abs(triangle_areas(sites, triangles).sum() - hull_area) <= ROUNDING * hull_area
    return triangles if whole else None


def _inside_slabs(sites: Float64s, sites_per_slab: int) -> Int64s:
    """Triangles whose circle lies in the slab that owns their first site."""
    n, x = len(sites), sites[:, 0]
    n_slabs = -(-n // sites_per_slab)
    margin = MARGIN_SPACINGS * float(np.sqrt(np.ptp(sites, axis=0).prod() / n))
    bounds = [n * slab // n_slabs for slab in range(n_slabs + 1)]
    owned_triangles = []
    for start, stop in pairwise(bounds):
        low, high = x[start] - margin, x[stop - 1] + margin
        first, last = np.searchsorted(x, [low, high], side="left")
        triangles = Delaunay(sites[first:last]).simplices.astype(np.int64) + first
        centre, radius = circumcentres(sites, triangles), circumradii(sites, triangles)
        lowest = triangles.min(axis=1)
        owned = (lowest >= start) & (lowest < stop)
        inside = ((centre[:, 0] - radius > low) | (first == 0)) & ((centre[:, 0] + radius < high) | (last == n))
        owned_triangles.append(triangles[owned & inside])
    return np.concatenate(owned_triangles)


def _open_sites(triangles: Int64s, n_sites: int) -> Int64s:
    """Sites with more neighbours than triangles, or none of either: their triangles do not close around them."""
    _, offsets = both_directions(triangles.ravel(), np.roll(triangles, -1, axis=1).ravel(), n_sites)
    n_triangles = np.bincount(triangles.ravel(), minlength=n_sites)
    return np.flatnonzero((np.diff(offsets) != n_triangles) | (n_triangles == 0))


def _between(sites: Float64s, open_sites: Int64s, known: Int64s) -> Int64s:
    """Triangles of ``open_sites`` that are not ``known`` and have no site in their circle."""
    is_open = np.zeros(len(sites), np.bool_)
    is_open[open_sites] = True
    among = known[is_open[known].all(axis=1)]
    triangles = open_sites[Delaunay(sites[open_sites]).simplices]
    taken = {tuple(row) for row in np.sort(among, axis=1).tolist()}
    triangles = triangles[[tuple(row) not in taken for row in np.sort(triangles, axis=1).tolist()]]
    centre, radius = circumcentres(sites, triangles), circumradii(sites, triangles)
    finite = np.isfinite(radius)
    nearest, _ = cKDTree(sites).query(centre[finite])
    empty: Int64s = triangles[finite][nearest >= radius[finite] * (1 - ROUNDING)]
    return empty
