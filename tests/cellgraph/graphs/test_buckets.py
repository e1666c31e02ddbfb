import numpy as np
import pytest
from hypothesis import given

from pipeline.cellgraph.graphs.buckets import counts, nearest, summed_agreement, within
from tests.cellgraph.nuclei_layouts import SPECIAL, any_layout, quick

BOUNDS = np.array([0.0, 1.0, 2.5, 40.0])


def all_distances(xy):
    return np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(axis=2))


def whole(xy):
    return np.array([0, len(xy)])


def check_searches(xy):
    """Every search against a matrix of all distances."""
    distance, n = all_distances(xy), len(xy)
    other = ~np.eye(n, dtype=bool)
    for radius in (1.0, 30.0):
        offsets, targets, distances = within(xy, whole(xy), radius)
        for point in range(n):
            row = slice(offsets[point], offsets[point + 1])
            expected = np.flatnonzero((distance[point] <= radius) & other[point])
            assert targets[row].tolist() == expected.tolist()
            assert distances[row] == pytest.approx(distance[point, expected])
    radii = np.array([1.0, 2.0, 30.0])
    expected_counts = [[((distance[p] <= r) & other[p]).sum() for r in radii] for p in range(n)]
    assert counts(xy, whole(xy), radii).tolist() == expected_counts
    _, least = nearest(xy, whole(xy), 3)
    for point in range(n):
        rising = np.sort(distance[point][other[point]])[:3]
        assert least[point] == pytest.approx([*rising, *[np.inf] * (3 - len(rising))])


@pytest.mark.parametrize("name", SPECIAL)
def test_special_layouts(name):
    check_searches(np.array(SPECIAL[name], float).reshape(-1, 2))


@quick
@given(xy=any_layout())
def test_any_layout(xy):
    check_searches(xy)


def test_of_equally_near_points_the_one_further_left_then_up_comes_first():
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    index, _ = nearest(xy, whole(xy), 4)
    assert index[0].tolist() == [3, 4, 2, 1]


def test_agreement_is_summed_over_pairs_by_distance():
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    sums, n_pairs = summed_agreement(xy, whole(xy), vectors, BOUNDS)
    # Pairs at 1, 2 and 3: products 0, 0.5 and 0.5; the first two shells are (0, 1] and (1, 2.5].
    assert n_pairs.tolist() == [[1, 1, 1]]
    assert sums[0] == pytest.approx([0.0, 0.5, 0.5])


def test_coincident_points_are_in_no_shell():
    _, n_pairs = summed_agreement(np.zeros((3, 2)), np.array([0, 3]), np.ones((3, 2)), BOUNDS)
    assert n_pairs.tolist() == [[0, 0, 0]]


def test_points_of_different_tiles_never_meet():
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.6, 0.0]])
    offsets = np.array([0, 2, 2, 4])
    assert within(xy, offsets, 10.0)[1].tolist() == [1, 0, 3, 2]
    assert counts(xy, offsets, np.array([10.0])).ravel().tolist() == [1, 1, 1, 1]
    assert nearest(xy, offsets, 1)[0].ravel().tolist() == [1, 0, 3, 2]
    assert summed_agreement(xy, offsets, np.ones((4, 2)), BOUNDS)[1].sum(axis=1).tolist() == [1, 0, 1]
