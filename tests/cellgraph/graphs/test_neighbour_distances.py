import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.distance import cdist

from pipeline.cellgraph.graphs.neighbour_distances import count_within, nearest_distances, pairs_within
from tests.cellgraph.nuclei_layouts import any_layout, quick


def test_pairs_bounds_are_inclusive():
    xy = np.array([[0, 0], [3, 4], [0, 5.0000001]], float)
    pairs, distance = pairs_within(xy, np.array([0, 3]), 5.0)
    assert sorted(map(tuple, pairs.T)) == [(0, 1), (1, 2)]
    assert distance[pairs[0] == 0] == 5.0


def test_tiles_never_meet_even_at_the_same_place():
    xy = np.array([[0, 0], [1, 0], [0, 0], [1, 0]], float)
    pairs, _ = pairs_within(xy, np.array([0, 2, 4]), 100.0)
    assert sorted(map(tuple, pairs.T)) == [(0, 1), (2, 3)]
    nearest = nearest_distances(xy, np.array([0, 2, 4]), 2)
    np.testing.assert_array_equal(nearest, [[1, np.nan]] * 4)


@quick
@given(any_layout(), any_layout())
def test_counts_and_distances_equal_those_from_all_pairs(first, second):
    xy, offsets = np.concatenate([first, second]), np.array([0, len(first), len(first) + len(second)])
    radii = (1.0, 2.0, 5.0)
    counts, nearest = count_within(xy, offsets, radii), nearest_distances(xy, offsets, 3)
    for tile, points in enumerate((first, second)):
        if len(points) == 0:
            continue
        distance = cdist(points, points)
        np.fill_diagonal(distance, np.inf)
        rows = slice(offsets[tile], offsets[tile + 1])
        for column, radius in enumerate(radii):
            safe = ~(np.abs(distance - radius) < 1e-12).any(axis=1) | (distance == radius).any(axis=1)
            np.testing.assert_array_equal(counts[rows, column][safe], (distance <= radius).sum(axis=1)[safe])
        expected = np.sort(np.pad(distance, ((0, 0), (0, 3)), constant_values=np.inf), axis=1)[:, :3]
        expected[np.isinf(expected)] = np.nan
        np.testing.assert_allclose(nearest[rows], expected, rtol=1e-12)


def test_without_points_there_is_nothing():
    assert nearest_distances(np.zeros((0, 2)), np.array([0, 0]), 3).shape == (0, 3)
    assert count_within(np.zeros((0, 2)), np.array([0, 0]), (1.0, 2.0)).shape == (0, 2)
    assert pairs_within(np.zeros((0, 2)), np.array([0]), 1.0)[0].shape == (2, 0)


def test_distance_on_the_radius_counts_for_that_radius():
    xy = np.array([[0, 0], [10, 0], [0, 20]], float)
    assert count_within(xy, np.array([0, 3]), (10.0, 20.0))[0].tolist() == [1, 2]
    assert nearest_distances(xy, np.array([0, 3]), 2)[0] == pytest.approx([10, 20])
