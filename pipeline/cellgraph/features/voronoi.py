"""Bounded Voronoi cells of the nuclei of every tile, from their Delaunay triangulation.

The vertices of the cell of a site are the circumcentres of its triangles, in the order of the triangles around it.
Cells of sites on the convex hull are unbounded and left out; bounded ones are not clipped to the tile.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.features.grouped_statistics import GroupedValues
from pipeline.cellgraph.graphs.csr import offsets_of_counts, segment_max, segment_sum
from pipeline.cellgraph.graphs.delaunay import Triangulation
from pipeline.cellgraph.graphs.triangle_geometry import circumcentres
from pipeline.compiled import compiled

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

    vertices: Float64s
    vertex_offsets: Int64s
    cell_offsets: Int64s


def bounded_cells(triangulation: Triangulation) -> VoronoiCells:
    """Bounded cells of the sites of every tile."""
    xy, triangles = triangulation.xy, triangulation.triangles
    vertices, sites, counts = _cells(xy, triangles, circumcentres(xy, triangles))
    return VoronoiCells(vertices, offsets_of_counts(counts), np.searchsorted(sites, triangulation.offsets))


@compiled
def _cells(xy: Float64s, triangles: Int64s, centres: Float64s) -> tuple[Float64s, Int64s, Int64s]:
    """Vertices of the bounded cells, cell by cell and relative to its site, their sites and numbers of vertices."""
    begins = np.zeros(len(xy) + 1, np.int64)
    for corner in triangles.ravel():
        begins[corner + 1] += 1
    begins = np.cumsum(begins)
    around, filled = np.empty(3 * len(triangles), np.int64), begins[:-1].copy()
    for triangle in range(len(triangles)):
        for corner in triangles[triangle]:
            around[filled[corner]] = triangle
            filled[corner] += 1
    vertices, n_vertices = np.empty((len(around), 2)), 0
    sites, counts, n_cells = np.empty(len(xy), np.int64), np.empty(len(xy), np.int64), 0
    for site in range(len(xy)):
        fan = around[begins[site] : begins[site + 1]]
        if len(fan) < 3 or not _closed(triangles, fan, site):
            continue
        _sort_by_angle(xy, triangles, fan, site)
        kept = 0
        for place in range(len(fan)):
            x, y = centres[fan[place], 0] - xy[site, 0], centres[fan[place], 1] - xy[site, 1]
            step = np.hypot(x + xy[site, 0] - centres[fan[place - 1], 0], y + xy[site, 1] - centres[fan[place - 1], 1])
            if step > SAME_VERTEX * np.hypot(x, y):
                vertices[n_vertices + kept] = x, y
                kept += 1
        n_vertices += kept
        sites[n_cells], counts[n_cells] = site, kept
        n_cells += 1
    return vertices[:n_vertices].copy(), sites[:n_cells].copy(), counts[:n_cells].copy()


@compiled
def _closed(triangles: Int64s, fan: Int64s, site: int) -> bool:
    """Whether the triangles of ``fan`` go all around ``site``: then each neighbour stands in two of them."""
    neighbours = np.empty(2 * len(fan), np.int64)
    n_filled = 0
    for triangle in fan:
        for corner in triangles[triangle]:
            if corner != site:
                neighbours[n_filled] = corner
                n_filled += 1
    neighbours = np.sort(neighbours)
    return bool((neighbours[::2] == neighbours[1::2]).all())


@compiled
def _sort_by_angle(xy: Float64s, triangles: Int64s, fan: Int64s, site: int) -> None:
    """Put the triangles of ``fan`` in order around ``site``, by the direction of their middles."""
    angles = np.empty(len(fan))
    for place in range(len(fan)):
        a, b, c = triangles[fan[place]]
        x, y = (xy[a, 0] + xy[b, 0] + xy[c, 0]) / 3.0, (xy[a, 1] + xy[b, 1] + xy[c, 1]) / 3.0
        angle, triangle, free = np.arctan2(y - xy[site, 1], x - xy[site, 0]), fan[place], place
        while free > 0 and angles[free - 1] > angle:
            angles[free], fan[free] = angles[free - 1], fan[free - 1]
            free -= 1
        angles[free], fan[free] = angle, triangle


def _successor(offsets: Int64s) -> Int64s:
    """Position of the next vertex around the same cell; no cell is empty."""
    successor = np.arange(1, offsets[-1] + 1)
    successor[offsets[1:] - 1] = offsets[:-1]
    return successor


def areas(cells: VoronoiCells) -> GroupedValues:
    """Area of each cell."""
    a, b = cells.vertices, cells.vertices[_successor(cells.vertex_offsets)]
    doubled = segment_sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], cells.vertex_offsets)
    return GroupedValues(0.5 * np.abs(doubled), cells.cell_offsets)


def edge_lengths(cells: VoronoiCells) -> GroupedValues:
    """Lengths of the edges of each cell; an edge between two bounded cells counts for both."""
    steps = cells.vertices[_successor(cells.vertex_offsets)] - cells.vertices
    return GroupedValues(np.hypot(*steps.T), cells.vertex_offsets[cells.cell_offsets])


def perimeters(cells: VoronoiCells) -> GroupedValues:
    """Perimeter of each cell."""
    return GroupedValues(segment_sum(edge_lengths(cells).values, cells.vertex_offsets), cells.cell_offsets)


def chord_lengths(cells: VoronoiCells) -> GroupedValues:
    """Distances between all pairs of vertices of each cell, its edges among them."""
    lengths, chord_offsets = _chords(cells)
    return GroupedValues(lengths, chord_offsets[cells.cell_offsets])


def widths(cells: VoronoiCells) -> GroupedValues:
    """Largest distance between two vertices of each cell."""
    lengths, chord_offsets = _chords(cells)
    return GroupedValues(segment_max(lengths, chord_offsets), cells.cell_offsets)


def _chords(cells: VoronoiCells) -> tuple[Float64s, Int64s]:
    """Lengths of the chords, grouped by cell, and their offsets over cells."""
    offsets = cells.vertex_offsets
    position = np.arange(offsets[-1])
    # Every vertex is paired with those after it in its cell.
    later = np.repeat(offsets[1:], np.diff(offsets)) - position - 1
    starts = offsets_of_counts(later)
    first = np.repeat(position, later)
    second = first + 1 + np.arange(starts[-1]) - np.repeat(starts[:-1], later)
    return np.hypot(*(cells.vertices[first] - cells.vertices[second]).T), starts[offsets]
