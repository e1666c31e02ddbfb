import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import ConvexHull, Delaunay

from pipeline.cellgraph.graphs.delaunay import distinct_sides, distinct_sites, triangulate
from pipeline.cellgraph.graphs.triangle_geometry import triangle_areas
from tests.cellgraph.nuclei_layouts import SPECIAL, any_layout, quick, scattered


def _single(points):
    points = np.asarray(points, float).reshape(-1, 2)
    return triangulate(points, np.array([0, len(points)]))


def test_sites_are_sorted_once_each_and_moved_to_the_corner():
    xy = np.array([[5, 9], [3, 7], [5, 9], [3, 8], [1, 1]], float)
    sites, offsets = distinct_sites(xy, np.array([0, 4, 4, 5]))
    np.testing.assert_array_equal(sites, [[0, 0], [0, 1], [2, 2], [0, 0]])
    np.testing.assert_array_equal(offsets, [0, 3, 3, 4])


@quick
@given(scattered())
def test_triangles_are_those_of_scipy(points):
    triangulation = _single(points)
    order = np.lexsort(points.T[::-1])
    expected = {tuple(sorted(t)) for t in Delaunay(points).simplices}
    assert {tuple(sorted(order[t])) for t in triangulation.triangles} == expected


@quick
@given(any_layout())
def test_triangles_fill_the_convex_hull(points):
    triangulation = _single(points)
    if len(triangulation.triangles):
        total = triangle_areas(triangulation.xy, triangulation.triangles).sum()
        assert total == pytest.approx(ConvexHull(triangulation.xy).volume, rel=1e-6)


@pytest.mark.parametrize("name", ["none", "one", "two", "three on a line", "five at one place", "twelve on a line"])
def test_no_triangle_where_there_is_no_plane_figure(name):
    assert len(_single(SPECIAL[name]).triangles) == 0


def test_four_sites_on_a_circle_are_cut_the_same_way_whatever_their_order():
    square = np.array([[0, 0], [2, 0], [2, 1], [0, 1]], float)
    cuts = {
        tuple(map(tuple, np.sort(_single(square[list(order)]).sides.T, axis=0)))
        for order in ((0, 1, 2, 3), (3, 1, 0, 2))
    }
    assert len(cuts) == 1


def test_sides_come_once():
    sides = distinct_sides(np.array([[0, 1, 2], [3, 2, 1]]), 4)
    assert sides.T.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
