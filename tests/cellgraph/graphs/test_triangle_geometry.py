import numpy as np
import pytest

from pipeline.cellgraph.graphs.triangle_geometry import circumcentres, circumradii, triangle_areas, triangle_sides

XY = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [8.0, 0.0], [1.0, 1.0]])
RIGHT, FLAT, TURNED = [0, 1, 2], [0, 1, 3], [2, 1, 0]


def test_a_right_triangle_by_hand():
    triangles = np.array([RIGHT, TURNED])
    assert triangle_areas(XY, triangles).tolist() == [6.0, 6.0]
    assert np.sort(triangle_sides(XY, triangles)).tolist() == [[3.0, 4.0, 5.0]] * 2
    # The hypotenuse of a right triangle is a diameter of its circle (Thales).
    assert circumcentres(XY, triangles).tolist() == [[2.0, 1.5]] * 2
    assert circumradii(XY, triangles).tolist() == [2.5, 2.5]


def test_three_corners_on_a_line_have_no_circle():
    assert triangle_areas(XY, np.array([FLAT])).tolist() == [0.0]
    assert not np.isfinite(circumradii(XY, np.array([FLAT]))).any()


def test_corners_lie_on_the_circle_wherever_the_triangle_is():
    xy = np.random.default_rng(0).uniform(-50, 50, (30, 2)) + 1000
    triangles = np.arange(30).reshape(10, 3)
    distance = np.linalg.norm(xy[triangles] - circumcentres(xy, triangles)[:, None], axis=2)
    assert distance == pytest.approx(np.repeat(circumradii(xy, triangles), 3).reshape(10, 3))


def test_heron_gives_the_same_areas():
    xy = np.random.default_rng(1).uniform(0, 9, (30, 2))
    triangles = np.arange(30).reshape(10, 3)
    a, b, c = triangle_sides(xy, triangles).T
    half = (a + b + c) / 2
    assert triangle_areas(xy, triangles) == pytest.approx(np.sqrt(half * (half - a) * (half - b) * (half - c)))


def test_no_triangle():
    none = np.zeros((0, 3), np.int64)
    assert triangle_areas(XY, none).shape == circumradii(XY, none).shape == (0,)
    assert triangle_sides(XY, none).shape == (0, 3)
    assert circumcentres(XY, none).shape == (0, 2)
