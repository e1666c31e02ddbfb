import numpy as np
import pytest

from pipeline.cellgraph.graphs.simple_graph import checked_edges, simple_graphs


def test_graphs_of_two_tiles_by_hand():
    graphs = simple_graphs([0, 3, 5], [[0, 1, 1, 3, 2], [1, 0, 2, 4, 2]])
    assert graphs.tile.tolist() == [0, 0, 0, 1, 1]
    assert graphs.edges.tolist() == [[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]
    assert graphs.edge_offsets.tolist() == [0, 1, 3, 4, 5, 6]
    assert graphs.degree.tolist() == [1, 2, 1, 1, 1]


def test_tiles_without_nuclei_or_edges():
    graphs = simple_graphs([0, 0, 2], [])
    assert graphs.edges.shape == (2, 0)
    assert graphs.degree.tolist() == [0, 0]


def test_an_edge_across_tiles_is_refused_and_counted():
    with pytest.raises(ValueError, match="1 do not"):
        simple_graphs([0, 1, 3], [[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([[0.0], [1.0]], "integers of shape"),
        ([[0, 1, 1]], "integers of shape"),
        ([[0], [2]], "nodes 0 to 1, found 0 to 2"),
        ([[-1], [0]], "found -1 to 0"),
    ],
)
def test_edges_that_name_no_node_are_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        checked_edges(edges, 2)


def test_no_edges_have_two_rows():
    assert checked_edges([], 0).shape == (2, 0)
    assert checked_edges(np.zeros((2, 0), np.int64), 5).dtype == np.int64
