import numpy as np
import pytest
from scipy import ndimage

from pipeline.tiling.tissue.mask_operations import (
    ROWS_AT_ONCE,
    closed,
    grown,
    opened,
    with_small_holes_filled,
    without_small_regions,
)


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0, 3.7, 8.0])
def test_growing_reaches_all_centres_within_the_radius(radius: float) -> None:
    mask = np.random.default_rng(0).random((40, 55)) < 0.02
    np.testing.assert_array_equal(grown(mask, radius), ndimage.distance_transform_edt(~mask) <= radius)


def test_growing_by_less_than_a_cell_changes_nothing() -> None:
    mask = np.eye(5, dtype=bool)
    np.testing.assert_array_equal(grown(mask, 0.9), mask)


def test_closing_bridges_gaps_and_keeps_borders() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:, 10:25] = True
    mask[:, 28:40] = True
    bridged = closed(mask, 3.0)
    expected = mask.copy()
    expected[:, 25:28] = True
    np.testing.assert_array_equal(bridged, expected)
    np.testing.assert_array_equal(closed(np.zeros((3, 3), bool), 5.0), np.zeros((3, 3), bool))


@pytest.mark.parametrize("radius", [1.5, 4.0])
def test_closing_agrees_with_distance_transforms(radius: float) -> None:
    mask = np.random.default_rng(1).random((50, 60)) < 0.1
    far = np.pad(mask, 20, mode="edge")
    reached = ndimage.distance_transform_edt(~far) <= radius
    expected = (ndimage.distance_transform_edt(reached) > radius)[20:-20, 20:-20]
    np.testing.assert_array_equal(closed(mask, radius), expected)


def test_opening_drops_lines_and_specks_but_not_bars() -> None:
    mask = np.zeros((30, 40), bool)
    mask[3, :] = True
    mask[8:10, 8:10] = True
    mask[15:22, 5:35] = True
    expected = np.zeros_like(mask)
    expected[15:22, 5:35] = True
    np.testing.assert_array_equal(opened(mask, 1.5), expected)


def test_small_regions_are_counted_by_hand() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 1]], bool)
    np.testing.assert_array_equal(without_small_regions(mask, 2), np.array([[1, 1, 0, 0], [0] * 4, [0, 0, 1, 1]], bool))
    assert not without_small_regions(mask, 3).any()


def test_holes_are_filled_only_when_small_and_enclosed() -> None:
    mask = np.array([[0, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]], bool)
    expected = mask.copy()
    expected[1, 2] = True
    np.testing.assert_array_equal(with_small_holes_filled(mask, 2), expected)
    np.testing.assert_array_equal(with_small_holes_filled(np.zeros((3, 3), bool), 99), np.zeros((3, 3), bool))
    assert with_small_holes_filled(np.ones((3, 3), bool), 99).all()


def test_regions_are_one_across_strips() -> None:
    mask = np.zeros((2 * ROWS_AT_ONCE + 10, 3), bool)
    mask[:, 0] = True
    mask[5, 2] = True
    kept = without_small_regions(mask, len(mask))
    assert kept[:, 0].all()
    assert not kept[:, 2].any()
