import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import Voronoi
from scipy.spatial.distance import pdist

from pipeline.cellgraph.features import voronoi
from pipeline.cellgraph.graphs.delaunay import triangulate
from tests.cellgraph.nuclei_layouts import SPECIAL, quick, scattered


def _cells(points):
    points = np.asarray(points, float).reshape(-1, 2)
    return voronoi.bounded_cells(triangulate(points, np.array([0, len(points)])))


def _scipy_cells(points):
    diagram = Voronoi(points)
    return [diagram.vertices[region] for region in diagram.regions if region and -1 not in region]


def _polygon_area(vertices):
    after = np.roll(vertices, -1, axis=0)
    return abs((vertices[:, 0] * after[:, 1] - vertices[:, 1] * after[:, 0]).sum()) / 2


def test_the_one_cell_of_a_square_with_its_centre():
    """Corners at (0, 0) to (2, 2): the cell of (1, 1) is the diamond of side sqrt 2."""
    cells = _cells([(0, 0), (2, 0), (2, 2), (0, 2), (1, 1)])
    assert voronoi.areas(cells).values == pytest.approx([2.0])
    assert voronoi.edge_lengths(cells).values == pytest.approx([np.sqrt(2)] * 4)
    assert voronoi.perimeters(cells).values == pytest.approx([4 * np.sqrt(2)])
    assert np.sort(voronoi.chord_lengths(cells).values) == pytest.approx([np.sqrt(2)] * 4 + [2, 2])
    assert voronoi.widths(cells).values == pytest.approx([2.0])


def test_cells_of_a_grid_are_unit_squares_although_four_sites_share_each_circle():
    cells = _cells(SPECIAL["grid"])
    assert voronoi.areas(cells).values == pytest.approx(np.ones(4 * 3))
    assert voronoi.edge_lengths(cells).values == pytest.approx(np.ones(4 * 12))
    assert len(voronoi.chord_lengths(cells).values) == 6 * 12


@quick
@given(scattered())
def test_cells_are_those_of_scipy(points):
    cells, expected = _cells(points), _scipy_cells(points)
    np.testing.assert_allclose(
        np.sort(voronoi.areas(cells).values), np.sort([_polygon_area(c) for c in expected]), rtol=1e-6
    )
    chords = np.sort(np.concatenate([pdist(c) for c in expected] or [np.zeros(0)]))
    np.testing.assert_allclose(np.sort(voronoi.chord_lengths(cells).values), chords, rtol=1e-6, atol=1e-6)
    widths = np.sort([pdist(c).max() for c in expected])
    np.testing.assert_allclose(np.sort(voronoi.widths(cells).values), widths, rtol=1e-6)


@pytest.mark.parametrize("name", ["none", "one", "two", "triangle", "twelve on a line", "circle"])
def test_no_bounded_cell_where_every_site_is_on_the_hull(name):
    cells = _cells(SPECIAL[name])
    assert len(cells.vertices) == 0
    assert cells.cell_offsets.tolist() == [0, 0]
