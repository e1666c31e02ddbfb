import numpy as np
import pytest

from pipeline.cellgraph.features.graph_spectra import SPECTRAL_FEATURE_NAMES, slope, spectral_features


def named(n_nodes, pairs):
    edges = np.array(pairs, np.int64).reshape(-1, 2).T
    both = np.concatenate([edges, edges[::-1]], axis=1)
    return dict(zip(SPECTRAL_FEATURE_NAMES, spectral_features(n_nodes, both), strict=True))


def test_a_triangle_by_hand():
    """Laplacian 0, 3, 3; normalised 0, 1.5, 1.5; adjacency 2, -1, -1; mean degree 2."""
    spectral = named(3, [(0, 1), (1, 2), (2, 0)])
    assert spectral["laplacian_energy"] == pytest.approx(2 + 1 + 1)
    assert spectral["laplacian_trace"] == pytest.approx(6)
    assert spectral["upper_slope"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(spectral["lower_slope"])
    assert spectral["adjacency_largest_eigenvalue"] == pytest.approx(2)
    assert spectral["adjacency_energy"] == pytest.approx(4)


def test_one_edge_and_a_node_alone_by_hand():
    """Laplacian 0, 0, 2; normalised 0, 0, 2; adjacency 1, -1, 0; mean degree 2/3."""
    spectral = named(3, [(0, 1)])
    assert spectral["laplacian_energy"] == pytest.approx(2 / 3 + 2 / 3 + 4 / 3)
    assert spectral["lower_slope"] == pytest.approx(0)
    assert np.isnan(spectral["upper_slope"])


def test_a_slope_is_per_rank_and_bounds_are_half_open():
    assert slope(np.array([0.0, 0.25, 0.5, 1.0]), 0.0, 1.0) == pytest.approx(0.25)
    assert slope(np.array([1.0, 1.5, 2.0]), 1.0, 2.0) == pytest.approx(0.5)
    assert np.isnan(slope(np.array([0.5]), 0.0, 1.0))


def test_rounding_does_not_move_an_eigenvalue_across_a_bound():
    assert slope(np.array([1 - 1e-12, 1.5]), 1.0, 2.0) == pytest.approx(0.5)
