import numpy as np

from pipeline.cellgraph.graphs.edge_lists import both_directions, lengths


def test_every_edge_comes_once_in_either_direction_and_sorted():
    edges, offsets = both_directions(np.array([2, 0, 1, 0, 1]), np.array([0, 2, 1, 1, 0]), 4)
    assert edges.tolist() == [[0, 0, 1, 2], [1, 2, 0, 0]]
    assert offsets.tolist() == [0, 2, 3, 4, 4]


def test_no_edge_leaves_empty_rows():
    edges, offsets = both_directions(np.zeros(0, np.int64), np.zeros(0, np.int64), 3)
    assert edges.shape == (2, 0)
    assert offsets.tolist() == [0, 0, 0, 0]


def test_lengths_by_hand():
    xy = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
    assert lengths(xy, np.array([0, 1, 2]), np.array([1, 2, 2])).tolist() == [5.0, 4.0, 0.0]
