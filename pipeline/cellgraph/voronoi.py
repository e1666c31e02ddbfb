"""Bounded Voronoi cells of the nuclei of every tile, from their Delaunay triangulation.

The vertices of the cell of a site are the circumcentres of its triangles, in the order of the triangles around it.
Cells of sites on the convex hull are unbounded and left out; bounded ones are not clipped to the tile.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.cellgraph.csr import Bools, Floats, Ints, offsets_of_counts, segment_max, segment_sum
from pipeline.cellgraph.populations import Populations
from pipeline.cellgraph.triangulation import Triangulation, distinct_sides

SAME_VERTEX = 1e-9
"""Guard: successive vertices nearer than this share of their distance from the site are one, as on a common circle."""


@dataclass(frozen=True)
class VoronoiCells:
    """Bounded Voronoi cells of all tiles.

    Attributes
    ----------
    vertices
        float64 (n_vertices, 2), relative to the site of the cell, in order around it, grouped by cell.
    vertex_offsets
        int64 (n_cells + 1,).
    cell_offsets
        int64 (n_tiles + 1,), cells of each tile.
    """

    vertices: Floats
    vertex_offsets: Ints
    cell_offsets: Ints


def bounded_cells(triangulation: Triangulation) -> VoronoiCells:
    """Bounded cells of the sites of every tile."""
    triangle, corner = np.nonzero(_inner(triangulation)[triangulation.triangles])
    site = triangulation.triangles[triangle, corner]
    centre = triangulation.xy[triangulation.triangles].mean(axis=1)[triangle] - triangulation.xy[site]
    order = np.lexsort((np.arctan2(centre[:, 1], centre[:, 0]), site))
    vertices = circumcentres(triangulation.xy, triangulation.triangles)[triangle] - triangulation.xy[site]
    sites, counts = np.unique(site, return_counts=True)
    vertices, counts = _without_repeats(vertices[order], offsets_of_counts(counts))
    return VoronoiCells(vertices, offsets_of_counts(counts), np.searchsorted(sites, triangulation.offsets))


def _inner(triangulation: Triangulation) -> Bools:
    """Which sites have triangles all around."""
    inner = np.zeros(len(triangulation.xy), np.bool_)
    inner[triangulation.triangles] = True
    sides, triangles_at_side = distinct_sides(triangulation.triangles, len(inner))
    inner[sides[:, triangles_at_side == 1]] = False
    return inner


def circumcentres(xy: Floats, triangles: Ints) -> Floats:
    """Centre of the circle through the corners of each triangle, (n_triangles, 2)."""
    origin = xy[triangles[:, 0]]
    u, v = xy[triangles[:, 1]] - origin, xy[triangles[:, 2]] - origin
    uu, vv = (u**2).sum(axis=1), (v**2).sum(axis=1)
    doubled_cross = 2.0 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    x = (v[:, 1] * uu - u[:, 1] * vv) / doubled_cross
    y = (u[:, 0] * vv - v[:, 0] * uu) / doubled_cross
    centres: Floats = origin + np.stack([x, y], axis=1)
    return centres


def _without_repeats(vertices: Floats, offsets: Ints) -> tuple[Floats, Ints]:
    """Vertices that differ from their predecessor, and how many are left in each cell."""
    previous = np.empty(len(vertices), np.int64)
    previous[_successor(offsets)] = np.arange(len(vertices))
    step = np.hypot(*(vertices - vertices[previous]).T)
    keep = step > SAME_VERTEX * np.hypot(*vertices.T)
    return vertices[keep], segment_sum(keep.astype(np.int64), offsets)


def _successor(offsets: Ints) -> Ints:
    """Position of the next vertex around the same cell; no cell is empty."""
    successor = np.arange(1, offsets[-1] + 1)
    successor[offsets[1:] - 1] = offsets[:-1]
    return successor


def areas(cells: VoronoiCells) -> Populations:
    """Area of each cell."""
    a, b = cells.vertices, cells.vertices[_successor(cells.vertex_offsets)]
    doubled = segment_sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], cells.vertex_offsets)
    return Populations(0.5 * np.abs(doubled), cells.cell_offsets)


def edge_lengths(cells: VoronoiCells) -> Populations:
    """Lengths of the edges of each cell; an edge between two bounded cells counts for both."""
    steps = cells.vertices[_successor(cells.vertex_offsets)] - cells.vertices
    return Populations(np.hypot(*steps.T), cells.vertex_offsets[cells.cell_offsets])


def perimeters(cells: VoronoiCells) -> Populations:
    """Perimeter of each cell."""
    return Populations(segment_sum(edge_lengths(cells).values, cells.vertex_offsets), cells.cell_offsets)


def chord_lengths(cells: VoronoiCells) -> Populations:
    """Distances between all pairs of vertices of each cell, its edges among them."""
    lengths, chord_offsets = _chords(cells)
    return Populations(lengths, chord_offsets[cells.cell_offsets])


def widths(cells: VoronoiCells) -> Populations:
    """Largest distance between two vertices of each cell."""
    lengths, chord_offsets = _chords(cells)
    return Populations(segment_max(lengths, chord_offsets), cells.cell_offsets)


def _chords(cells: VoronoiCells) -> tuple[Floats, Ints]:
    """Lengths of the chords, grouped by cell, and their offsets over cells."""
    offsets = cells.vertex_offsets
    position = np.arange(offsets[-1])
    # Every vertex is paired with those after it in its cell.
    later = np.repeat(offsets[1:], np.diff(offsets)) - position - 1
    starts = offsets_of_counts(later)
    first = np.repeat(position, later)
    second = first + 1 + np.arange(starts[-1]) - np.repeat(starts[:-1], later)
    return np.hypot(*(cells.vertices[first] - cells.vertices[second]).T), starts[offsets]
