import numpy as np
import pytest
import shapely
from skimage.morphology import convex_hull_image

from pipeline.nuclei.morphology import bounding_boxes
from pipeline.nuclei.outlines import hull_areas, outline_polygons, trace


def disc(radius: float) -> np.ndarray:
    rows, cols = np.mgrid[:31, :31] - 15
    return (rows**2 + cols**2 <= radius**2).astype(np.int32)


def outline(labels: np.ndarray) -> shapely.Polygon:
    return outline_polygons(trace(labels, bounding_boxes(labels, 1)))[0]


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


def test_hull_counts_the_pixels_of_the_hull() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((15, 15)) > 0.5).astype(np.int32)
    labels[5:9] = 1
    borders = [np.argwhere(labels)[:, ::-1] + 0.5]
    expected = convex_hull_image(labels, offset_coordinates=False, include_borders=True).sum()
    assert hull_areas(borders)[0] == expected


@pytest.mark.parametrize("pixels", [[(2, 2)], [(2, 2), (2, 5)], [(0, 0), (6, 4)]])
def test_hull_of_a_point_and_of_lines(pixels: list[tuple[int, int]]) -> None:
    """On the way from (0, 0) to (6, 4) lies one further lattice point, (3, 2)."""
    expected = {1: 1, 2: 4}[len(pixels)] if pixels[0] == (2, 2) else 3
    assert hull_areas([np.array(pixels) + 0.5])[0] == expected
