import cv2
import numpy as np
import pytest
import shapely
from skimage.morphology import convex_hull_image

from pipeline.nuclei.measures.outlines import Borders, convex_hulls, convexities, hull_areas, outline_polygons, trace
from pipeline.synthetic.painting.tissue import PaintedTissue


def disc(radius: float) -> np.ndarray:
    rows, cols = np.mgrid[:31, :31] - 15
    return (rows**2 + cols**2 <= radius**2).astype(np.int32)


def outline(labels: np.ndarray) -> shapely.Polygon:
    return outline_polygons(trace(labels, 1))[0]


def test_rectangle_has_the_corners_of_its_pixels() -> None:
    labels = np.zeros((6, 8), np.int32)
    labels[2:5, 1:6] = 1
    assert outline(labels).equals(shapely.box(1, 2, 6, 5))


@pytest.mark.parametrize(("shape", "box"), [((1, 1), (3, 3, 4, 4)), ((1, 3), (3, 3, 6, 4)), ((4, 1), (3, 3, 4, 7))])
def test_single_pixels_and_lines(shape: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[3 : 3 + shape[0], 3 : 3 + shape[1]] = 1
    assert outline(labels).equals(shapely.box(*box))


def test_area_of_a_disc() -> None:
    labels = disc(9)
    assert outline(labels).area == pytest.approx(labels.sum(), rel=0.03)
    assert outline(labels).is_valid


def test_spur_and_diagonal_neck_give_one_valid_polygon() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[1:5, 1:5] = 1
    labels[5, 5] = 1  # joined by a corner
    labels[6:10, 6:10] = 1
    labels[8, 10:12] = 1  # one pixel wide
    polygon = outline(labels)
    assert polygon.geom_type == "Polygon"
    assert polygon.is_valid
    assert polygon.area == pytest.approx(labels.sum(), rel=0.08)


def border_of(*points: tuple[float, float]) -> Borders:
    return Borders(np.array(points, dtype=float), np.array([0, len(points)]))


def test_way_around_a_square_from_its_first_corner() -> None:
    labels = np.zeros((6, 6), np.int32)
    labels[1:4, 2:5] = 1
    borders = trace(labels, 1)
    assert (borders.points - 0.5).tolist() == [[2, 1], [2, 3], [4, 3], [4, 1]]
    assert borders.starts.tolist() == [0, 4]


def test_same_ways_as_opencv(tissue: PaintedTissue) -> None:
    _, labels = np.unique(tissue.labels, return_inverse=True)
    labels = labels.reshape(tissue.labels.shape).astype(np.int32)
    borders = trace(labels, int(labels.max()))
    for label in range(1, int(labels.max()) + 1):
        found, _ = cv2.findContours((labels == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if len(found) == 1:
            start, stop = borders.starts[label - 1 : label + 1]
            assert np.array_equal(borders.points[start:stop] - 0.5, found[0][:, 0, :]), label


def test_the_largest_piece_is_traced_and_corners_connect() -> None:
    labels = np.zeros((8, 12), np.int32)
    labels[0, 0:4] = 1
    labels[3:5, 6:8] = 1
    labels[5, 8] = 1
    assert (trace(labels, 1).points - 0.5).tolist() == [[6, 3], [6, 4], [7, 4], [8, 5], [7, 4], [7, 3]]


def test_no_nucleus() -> None:
    borders = trace(np.zeros((4, 4), np.int32), 0)
    hulls = convex_hulls(borders)
    assert [len(outline_polygons(borders)), len(hulls), len(hull_areas(hulls)), len(convexities(hulls, borders))] == [
        0
    ] * 4


def test_hull_counts_the_pixels_of_the_hull() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((15, 15)) > 0.5).astype(np.int32)
    labels[5:9] = 1
    hulls = convex_hulls(border_of(*(np.argwhere(labels)[:, ::-1] + 0.5)))
    expected = convex_hull_image(labels, offset_coordinates=False, include_borders=True).sum()
    assert hull_areas(hulls)[0] == expected


@pytest.mark.parametrize(("pixels", "area"), [([(2, 2)], 1), ([(2, 2), (2, 5)], 4), ([(0, 0), (6, 4)], 3)])
def test_hull_of_a_point_and_of_lines(pixels: list[tuple[int, int]], area: int) -> None:
    """On the way from (0, 0) to (6, 4) lies one further lattice point, (3, 2)."""
    borders = border_of(*pixels)
    hulls = convex_hulls(borders)
    assert hull_areas(hulls)[0] == area
    assert convexities(hulls, borders)[0] == 1


def test_convexity_by_hand() -> None:
    """A notch from the middle of a side of 8 to the middle of the square: 32 around the hull, 24 + 2 sqrt(32) along."""
    notched = border_of((0, 0), (0, 8), (8, 8), (8, 0), (4, 4))
    assert convexities(convex_hulls(notched), notched)[0] == pytest.approx(32 / (24 + 2 * np.sqrt(32)))
