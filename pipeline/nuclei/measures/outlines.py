"""Outlines of nuclei as polygons, and their convex hulls.

Frame: pixels of the label image, (x, y), the centre of the first pixel at (0.5, 0.5).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.whole_nuclei import largest_pieces

Polygons = npt.NDArray[Any]

HALF_PX = 0.5
"""From the centre of a pixel to its side."""

SIMPLIFY_PX = 0.2
"""Vertices that move the outline by less than this are dropped."""

MITRE_LIMIT = 1.5
"""Distance of an outline's corner from the border pixel in it, in half pixels; sharper ones are cut off there."""

MIN_RING_POINTS = 4
"""Points of a closed ring, the first of them twice; fewer enclose nothing."""


@dataclass(frozen=True)
class Borders:
    """Borders of n nuclei, one after the other.

    Attributes
    ----------
    points
        Corners (k, 2) of the way along each nucleus' border pixels, pixel centres (x, y).
    starts
        (n + 1,): the points of nucleus i are ``starts[i]`` to ``starts[i + 1]``.
    """

    points: Float64s
    starts: Int64s

    @property
    def owner(self) -> Int64s:
        """Nucleus (k,) of each point."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def closed(self, which: Bools | None = None) -> "Borders":
        """The same, with the first point of each nucleus, or of those in ``which`` (n,), again at its end."""
        again = np.ones(len(self.starts) - 1, dtype=bool) if which is None else which
        points = np.insert(self.points, self.starts[1:][again], self.points[self.starts[:-1][again]], axis=0)
        return Borders(points, self.starts + np.concatenate([[0], np.cumsum(again)]))


def trace(labels: Labels, n_nuclei: int) -> Borders:
    """Way around each nucleus through its border pixels (Suzuki & Abe 1985), without points on straight stretches.

    Of a nucleus in several pieces, which pixels' sides and corners connect, the largest is traced.

    Parameters
    ----------
    labels
        (h, w), nuclei 1 to n, each of which must occur.
    """
    firsts, pieces = largest_pieces(labels, n_nuclei)
    padded = np.pad(pieces, 1)
    number = pieces[firsts[:, 0], firsts[:, 1]]
    counts = np.zeros(n_nuclei, dtype=np.int64)
    _walk(padded, firsts, number, np.zeros(n_nuclei, dtype=np.int64), counts, np.empty((0, 2)))
    starts = np.concatenate([[0], np.cumsum(counts)])
    points = np.empty((starts[-1], 2))
    _walk(padded, firsts, number, starts, counts, points)
    return Borders(points + HALF_PX, starts)


def outline_polygons(borders: Borders) -> Polygons:
    """Polygons (n,) around the traced pixels, half a pixel outside their centres."""
    if not len(borders.points):
        return np.empty(0, dtype=object)
    rings = borders.closed()
    shapes = np.empty(len(borders.starts) - 1, dtype=object)
    enough = np.diff(rings.starts) > MIN_RING_POINTS - 1
    of_ring = enough[rings.owner]
    shapes[enough] = shapely.polygons(shapely.linearrings(rings.points[of_ring], indices=_ranked(rings.owner[of_ring])))
    simple = enough.copy()
    simple[enough] = shapely.is_valid(shapes[enough])
    # A line buffered to both sides keeps what is a single pixel wide; one that is walked there
    # and back ends as the open line does.
    walks = borders.closed(~_is_line(borders))
    of_walk = ~simple[walks.owner]
    shapes[~simple] = shapely.linestrings(walks.points[of_walk], indices=_ranked(walks.owner[of_walk]))
    around = shapely.buffer(shapes, HALF_PX, join_style="mitre", mitre_limit=MITRE_LIMIT, cap_style="square")
    polygons: Polygons = shapely.polygons(shapely.get_exterior_ring(around))
    simplified: Polygons = shapely.simplify(polygons, SIMPLIFY_PX, preserve_topology=False)
    return simplified


def convex_hulls(borders: Borders) -> Polygons:
    """Convex hull (n,) of the pixel centres of each nucleus: a polygon, or a line or point without area."""
    closed = borders.closed()
    if not len(closed.points):
        return np.empty(0, dtype=object)
    hulls: Polygons = shapely.convex_hull(shapely.linestrings(closed.points, indices=closed.owner))
    return hulls


def hull_areas(hulls: Polygons) -> Float64s:
    """Number (n,) of pixels whose centres lie in or on each of the ``convex_hulls``.

    By Pick's theorem, so that a nucleus without a hollow has exactly its own area.
    """
    corners, hull = shapely.get_coordinates(hulls, return_index=True)
    steps = np.rint(np.abs(np.diff(corners, axis=0))).astype(np.int64)
    same_hull = hull[1:] == hull[:-1]
    on_border = np.bincount(hull[1:][same_hull], weights=np.gcd(*steps.T)[same_hull], minlength=len(hulls))
    # The hull of pixels in one line is a line, walked along once instead of there and back.
    on_border[shapely.get_dimensions(hulls) < 2] *= 2
    areas: Float64s = shapely.area(hulls) + on_border / 2 + 1
    return areas


def convexities(hulls: Polygons, borders: Borders) -> Float64s:
    """Perimeter of each hull over the length of the border (n,), both through pixel centres: 1 where convex."""
    closed = borders.closed()
    owner = closed.owner
    steps = np.linalg.norm(np.diff(closed.points, axis=0), axis=1)
    same = owner[1:] == owner[:-1]
    border = np.bincount(owner[1:][same], weights=steps[same], minlength=len(hulls))
    around = shapely.length(hulls) * np.where(shapely.get_dimensions(hulls) < 2, 2, 1)
    # A nucleus of one pixel has a border without length and counts as convex.
    convexity: Float64s = np.where(border > 0, around, 1.0) / np.where(border > 0, border, 1.0)
    return convexity


def _ranked(owner: Int64s) -> Int64s:
    """The same owners numbered 0 to n - 1 without gaps."""
    return np.concatenate([[0], np.cumsum(np.diff(owner) > 0)])[: len(owner)]


def _is_line(borders: Borders) -> Bools:
    closed = borders.closed()
    (x, y), owner = closed.points.T, closed.owner
    same = owner[1:] == owner[:-1]
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    twice = np.bincount(owner[1:][same], weights=cross[same], minlength=len(borders.starts) - 1)
    return (np.abs(twice) < HALF_PX) & (np.diff(borders.starts) > 1)


_STEP_X = np.array([1, 1, 0, -1, -1, -1, 0, 1])
_STEP_Y = np.array([0, -1, -1, -1, 0, 1, 1, 1])
"""Steps to the eight neighbours, anticlockwise on the screen from the right."""


@compiled
def _walk(pieces: Any, firsts: Any, number: Any, starts: Any, counts: Any, points: Any) -> None:
    """Count the corners of each border and, where there is room, write them as (x, y) from ``starts`` on.

    ``pieces`` has a rim of one pixel; ``firsts`` are the pieces' first pixels without it.
    """
    for i in range(len(firsts)):
        row, col = firsts[i, 0] + 1, firsts[i, 1] + 1
        counts[i] = 0
        first_step = -1
        for turn in range(1, 9):
            step = (4 - turn) % 8
            if pieces[row + _STEP_Y[step], col + _STEP_X[step]] == number[i]:
                first_step = step
                break
        if first_step < 0:
            counts[i] = 1
            if len(points):
                points[starts[i]] = col - 1, row - 1
            continue
        end_row, end_col = row + _STEP_Y[first_step], col + _STEP_X[first_step]
        y, x, step, before = row, col, first_step, (first_step + 4) % 8
        while True:
            step = (step + 1) % 8
            while pieces[y + _STEP_Y[step], x + _STEP_X[step]] != number[i]:
                step = (step + 1) % 8
            if step != before:
                if len(points):
                    points[starts[i] + counts[i]] = x - 1, y - 1
                counts[i] += 1
                before = step
            next_y, next_x = y + _STEP_Y[step], x + _STEP_X[step]
            if (next_y, next_x) == (row, col) and (y, x) == (end_row, end_col):
                break
            y, x, step = next_y, next_x, (step + 4) % 8
