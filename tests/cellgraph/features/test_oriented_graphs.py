import numpy as np
import pytest

from pipeline.cellgraph.features.oriented_graphs import oriented_graphs

XY = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]
PATH = [[0, 1], [1, 2]]


def test_a_nucleus_without_axis_has_neither_vector_nor_edges():
    axes = oriented_graphs(XY, [0.0, np.nan, np.pi / 2], PATH, [0, 3], None)
    assert axes.reliable.tolist() == [True, False, True]
    assert axes.vectors == pytest.approx(np.array([[1, 0], [0, 0], [-1, 0]]), abs=1e-12)
    assert axes.theta[1] == 0
    assert axes.graphs.edges.shape == (2, 0)
    assert not oriented_graphs(XY, [0.0, 0.0, 0.0], PATH, [0, 3], [True, True, False]).reliable[2]


def test_means_are_over_a_nucleus_and_its_neighbours():
    axes = oriented_graphs(XY, [0.0, np.pi / 4, np.pi / 2], PATH, [0, 3], None)
    assert axes.neighbourhood_means() == pytest.approx(np.array([[0.5, 0.5], [0, 1 / 3], [-0.5, 0.5]]), abs=1e-12)


def test_statistics_are_by_patch_and_of_what_is_chosen():
    axes = oriented_graphs(XY, [0.0] * 3, [[0], [1]], [0, 2, 3], None)
    values = np.array([1.0, 3.0, 5.0])
    assert axes.n_patches == 2
    assert axes.over_nuclei(values, np.ones(3, bool)).mean.tolist() == [2.0, 5.0]
    assert axes.over_nuclei(values, np.array([True, False, False])).mean[0] == 1.0
    summary = axes.over_edges(np.array([2.0, 4.0]), np.ones(2, bool))
    assert summary.mean[0] == 3.0
    assert np.isnan(summary.mean[1])


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one centroid, axis and flag per nucleus, found 3, 2 and 2 for 3"):
        oriented_graphs(XY, [0.0, 0.0], PATH, [0, 3], None)
