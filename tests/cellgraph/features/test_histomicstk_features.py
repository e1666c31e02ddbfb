from itertools import pairwise

import numpy as np
import pytest

from pipeline.cellgraph import histomicstk_features, histomicstk_features_batch
from pipeline.cellgraph.features.histomicstk_features import histomicstk_feature_names
from tests.cellgraph.nuclei_layouts import SPECIAL

SIX = [(-1, -1), (-1, 1), (1, -1), (1, 1), (-0.5, -0.5), (0.5, 0.5)]
"""The six points of HistomicsTK's own test (Apache-2.0, Kitware); below, the values it expects of them."""

EXPECTED = {
    "delaunay_area": (0.666666666667, 0.235702260396, 0.5, 0.261203874964),
    "delaunay_sides": (1.55936204046, 0.452497141571, 0.353553390593, 0.224914917312),
    "density_distance_for_neighbors_0": (1.86037961003, 0.197453049082, 0.790569415042, 0.0959519464365),
    "density_distance_for_neighbors_1": (2.59272486435, 0.333333333333, 0.75, 0.113918900724),
    "density_neighbors_in_distance_0": (0.0, 0.0, np.nan, np.nan),
    "density_neighbors_in_distance_1": (0.666666666667, 0.471404520791, 0.0, 0.414213562373),
    "density_neighbors_in_distance_2": (3.66666666667, 0.471404520791, 0.75, 0.113918900724),
    "density_neighbors_in_distance_3": (4.33333333333, 0.471404520791, 0.8, 0.0981124329991),
    "density_neighbors_in_distance_4": (5.0, 0.0, 1.0, 0.0),
    "mst_branches": (1.19814095698, 0.405534520356, 0.4472135955, 0.252878170232),
    "voronoi_area": (1.6875, 0.0, 1.0, 0.0),
    "voronoi_max_dist": (2.12132034356, 0.0, 1.0, 0.0),
    "voronoi_peri": (5.55368876047, 0.0, 1.0, 0.0),
}
STATISTICS = ("mean", "stddev", "min_max_ratio", "disorder")


def test_all_52_values_of_histomicstk():
    features = histomicstk_features(SIX, neighbor_distances=0.7 * np.arange(1, 6), neighbor_counts=(3, 5))
    expected = {
        f"{name}_{statistic}": value
        for name, values in EXPECTED.items()
        for statistic, value in zip(STATISTICS, values, strict=True)
    }
    assert len(features) == 52
    assert features == pytest.approx(expected, rel=1e-10, abs=1e-12, nan_ok=True)


def test_ranks_follow_the_sorted_distances_and_counts():
    a = histomicstk_features(SIX, neighbor_distances=(1, 2), neighbor_counts=(1, 3))
    b = histomicstk_features(SIX, neighbor_distances=(2, 1), neighbor_counts=(3, 1))
    assert a == pytest.approx(b, nan_ok=True)


@pytest.mark.parametrize("name", SPECIAL)
def test_special_layouts_never_raise(name):
    features = histomicstk_features(SPECIAL[name])
    assert len(features) == 24 + 4 * 5 + 4 * 3
    assert not np.isinf(list(features.values())).any()


def test_a_side_counts_once_and_so_does_a_place():
    features = histomicstk_features([(0, 0), (4, 0), (0, 3), (4, 3), (0, 0)], neighbor_counts=(1,))
    assert features["mst_branches_mean"] == pytest.approx(10 / 3)
    assert features["delaunay_sides_mean"] == pytest.approx((4 + 4 + 3 + 3 + 5) / 5)
    assert features["density_distance_for_neighbors_0_min_max_ratio"] == 0


def test_batch_equals_single():
    xy, offsets = np.random.default_rng(0).uniform(0, 200, (90, 2)), np.array([0, 50, 50, 52, 90])
    batch = histomicstk_features_batch(xy, offsets)
    for row, (start, stop) in enumerate(pairwise(offsets)):
        single = histomicstk_features(xy[start:stop])
        assert {name: values[row] for name, values in batch.items()} == pytest.approx(single, nan_ok=True)


def test_distances_and_counts_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        histomicstk_features(SIX, neighbor_distances=(0, 1))
    assert len(histomicstk_features(SIX, neighbor_distances=(), neighbor_counts=())) == 24


def test_names_are_those_of_the_features_in_their_order():
    assert tuple(histomicstk_features([(0, 0), (1, 2)])) == histomicstk_feature_names()
    assert len(histomicstk_feature_names()) == 56
