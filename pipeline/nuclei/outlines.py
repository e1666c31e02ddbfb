"""Outlines of nuclei as polygons, and the sizes of their convex hulls.

Frame: pixels of the label image, (x, y), the centre of the first pixel at (0.5, 0.5).
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import shapely

Labels = npt.NDArray[np.int32]
Polygons = npt.NDArray[Any]

HALF_PX = 0.5
SIMPLIFY_PX = 0.2
"""Vertices that move the outline by less than this are dropped."""
MITRE_LIMIT = 1.5


def trace(labels: Labels, boxes: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float64]]:
    """Border pixels (k, 2) of each nucleus in order, as pixel centres (x, y).

    Of a nucleus in several pieces the piece with the longest border is traced.

    Parameters
    ----------
    labels
        (h, w), nuclei 1 to n.
    boxes
        Half-open bounding boxes (n, 4) as row0, col0, row1, col1.
    """
    borders = []
    for label, (row0, col0, row1, col1) in enumerate(boxes.tolist(), start=1):
        piece = (labels[row0:row1, col0:col1] == label).astype(np.uint8)
        found, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        longest = max(found, key=len)[:, 0, :]
        borders.append(longest + np.array([col0 + HALF_PX, row0 + HALF_PX]))
    return borders


def outline_polygons(borders: list[npt.NDArray[np.float64]]) -> Polygons:
    """Polygons (n,) around the traced pixels, half a pixel outside their centres."""
    # A border without area is a line walked there and back, whose ends are those of the open line.
    walks = [border if _is_line(border) else _closed(border) for border in borders]
    coordinates, owner = _stacked(walks)
    lines = shapely.linestrings(coordinates, indices=owner)
    # A line buffered to both sides stays one piece where a nucleus is a single pixel wide.
    around = shapely.buffer(lines, HALF_PX, join_style="mitre", mitre_limit=MITRE_LIMIT, cap_style="square")
    polygons: Polygons = shapely.polygons(shapely.get_exterior_ring(around))
    simple: Polygons = shapely.simplify(polygons, SIMPLIFY_PX)
    return simple


def hull_areas(borders: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Number (n,) of pixels whose centres lie in or on the convex hull of the nucleus' pixel centres.

    By Pick's theorem, so that a nucleus without a hollow has exactly its own area.
    """
    coordinates, owner = _stacked([_closed(border) for border in borders])
    hulls = shapely.convex_hull(shapely.linestrings(coordinates, indices=owner))
    corners, hull = shapely.get_coordinates(hulls, return_index=True)
    steps = np.rint(np.abs(np.diff(corners, axis=0))).astype(np.int64)
    same_hull = hull[1:] == hull[:-1]
    on_border = np.bincount(hull[1:][same_hull], weights=np.gcd(*steps.T)[same_hull], minlength=len(borders))
    # The hull of pixels in one line is a line, walked along once instead of there and back.
    on_border[shapely.get_dimensions(hulls) < 2] *= 2
    areas: npt.NDArray[np.float64] = shapely.area(hulls) + on_border / 2 + 1
    return areas


def _is_line(border: npt.NDArray[np.float64]) -> bool:
    return len(border) > 1 and cv2.contourArea(border.astype(np.float32)) == 0


def _closed(border: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.vstack([border, border[:1]])


def _stacked(parts: list[npt.NDArray[np.float64]]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
