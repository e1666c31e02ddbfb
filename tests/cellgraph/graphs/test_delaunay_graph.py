import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import Delaunay

from pipeline.cellgraph.graphs.delaunay_graph import delaunay_edges
from tests.cellgraph.nuclei_layouts import SPECIAL, quick, scattered


def pairs(points):
    xy = np.array(points, float).reshape(-1, 2)
    a, b = delaunay_edges(xy, np.array([0, len(xy)]))
    return {frozenset(pair) for pair in zip(a.tolist(), b.tolist(), strict=True) if pair[0] != pair[1]}


@pytest.mark.parametrize("name", ["none", "one"])
def test_nothing_to_join(name):
    assert pairs(SPECIAL[name]) == set()


def test_points_on_a_line_are_joined_to_the_next():
    assert pairs([(4.0, 4.0), (0.0, 0.0), (2.0, 2.0)]) == {frozenset({1, 2}), frozenset({0, 2})}
    assert pairs(SPECIAL["two"]) == {frozenset({0, 1})}


def test_points_at_one_place_are_joined_and_share_its_neighbours():
    joined = pairs([(0.0, 0.0), (4.0, 0.0), (0.0, 3.0), (0.0, 0.0)])
    assert joined == {frozenset(p) for p in ((0, 1), (0, 2), (1, 2), (0, 3), (3, 1), (3, 2))}
    assert len(pairs(SPECIAL["five at one place"])) == 10


def test_a_square_has_its_four_sides_and_one_diagonal():
    joined = pairs([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
    assert {frozenset(p) for p in ((0, 1), (0, 2), (1, 3), (2, 3))} < joined
    assert len(joined) == 5


@quick
@given(xy=scattered())
def test_scattered_points_are_joined_as_qhull_joins_them(xy):
    triangles = Delaunay(xy).simplices
    expected = {frozenset((int(t[i]), int(t[i - 1]))) for t in triangles for i in range(3)}
    assert pairs(xy) == expected


def test_tiles_never_meet():
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.1], [0.6, 0.1]])
    a, b = delaunay_edges(xy, np.array([0, 2, 4]))
    assert {frozenset(p) for p in zip(a.tolist(), b.tolist(), strict=True)} == {frozenset({0, 1}), frozenset({2, 3})}
