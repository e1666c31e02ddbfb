import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.distance import cdist

from pipeline.cellgraph.features.spanning_tree import branch_lengths, with_coincident
from pipeline.cellgraph.graphs.delaunay import triangulate
from tests.cellgraph.nuclei_layouts import SPECIAL, any_layout, quick


def _branches(points):
    points = np.asarray(points, float).reshape(-1, 2)
    offsets = np.array([0, len(points)])
    triangulation = triangulate(points, offsets)
    return np.sort(
        with_coincident(branch_lengths(triangulation), np.diff(offsets) - np.diff(triangulation.offsets)).values
    )


def _by_networkx(points):
    points = np.asarray(points, float).reshape(-1, 2)
    # networkx takes a weight of 0 for no edge; adding 1 to every weight leaves the tree as it is.
    complete = nx.from_numpy_array(cdist(points, points) + 1.0)
    return np.sort([branch["weight"] - 1.0 for *_, branch in nx.minimum_spanning_edges(complete)])


def test_tree_by_hand():
    """Two pairs 1 apart, 10 from each other: branches 1, 1, 10."""
    assert _branches([(0, 0), (1, 0), (11, 0), (11, 1)]) == pytest.approx([1, 1, 10])


@pytest.mark.parametrize("name", SPECIAL)
def test_special_layouts_equal_the_tree_of_the_complete_graph(name):
    np.testing.assert_allclose(_branches(SPECIAL[name]), _by_networkx(SPECIAL[name]), rtol=1e-9, atol=1e-9)


@quick
@given(any_layout())
def test_any_layout_equals_the_tree_of_the_complete_graph(points):
    np.testing.assert_allclose(_branches(points), _by_networkx(points), rtol=1e-9, atol=1e-9)


def test_trees_stay_in_their_tiles():
    xy = np.array([[0, 0], [5, 0], [0, 0], [0, 1], [3, 1], [0, 0]], float)
    branches = branch_lengths(triangulate(xy, np.array([0, 2, 2, 5, 6])))
    np.testing.assert_array_equal(branches.offsets, [0, 1, 1, 3, 3])
    assert sorted(branches.values[1:]) == pytest.approx([1, 3])
