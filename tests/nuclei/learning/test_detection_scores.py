import numpy as np
import pytest

from pipeline.nuclei.learning.detection_scores import (
    Matches,
    axis_errors,
    match_centres,
    match_nuclei,
    overlap_iou,
)


def squares(*corners: tuple[int, int], side: int = 4) -> np.ndarray:
    labels = np.zeros((12, 12), np.int32)
    for label, (row, col) in enumerate(corners, start=1):
        labels[row : row + side, col : col + side] = label
    return labels


def test_iou_counted_by_eye() -> None:
    """Squares of 16 pixels that share 3 of 4 columns: 12 / 20."""
    assert overlap_iou(squares((0, 0)), squares((0, 1))) == pytest.approx(np.array([[12 / 20]]))


def test_same_picture_is_perfect_whatever_the_numbers() -> None:
    truth = squares((0, 0), (6, 6))
    renamed = np.where(truth == 1, 70, np.where(truth == 2, 5, 0))
    assert match_nuclei(truth, renamed, 0.75) == Matches(2, 0, 0)


def test_found_invented_and_missed() -> None:
    truth = squares((0, 0), (6, 6))
    predicted = squares((0, 1), (6, 0))
    matches = match_nuclei(truth, predicted, 0.5)
    assert matches == Matches(1, 1, 1)
    assert matches.average_precision == pytest.approx(1 / 3)
    assert matches.f1 == pytest.approx(0.5)
    assert match_nuclei(truth, predicted, 0.7) == Matches(0, 2, 2)


def test_two_halves_of_one_nucleus_count_once() -> None:
    truth = squares((0, 0))
    halves = truth.copy()
    halves[:, 2:][halves[:, 2:] > 0] = 2
    assert match_nuclei(truth, halves, 0.5) == Matches(1, 1, 0)


def test_nothing() -> None:
    empty = np.zeros((12, 12), np.int32)
    assert match_nuclei(empty, empty, 0.5).average_precision == 1
    assert match_nuclei(squares((0, 0)), empty, 0.5) == Matches(0, 0, 1)
    assert match_nuclei(empty, squares((0, 0)), 0.5) == Matches(0, 1, 0)


def test_counts_add_up() -> None:
    assert Matches(1, 2, 3) + Matches(10, 20, 30) == Matches(11, 22, 33)


def test_centres_are_matched_once_within_reach() -> None:
    truth = np.array([[0.0, 0.0], [10.0, 0.0], [50.0, 50.0]])
    predicted = np.array([[3.0, 4.0], [0.0, 1.0], [10.0, 6.0]])
    assert match_centres(truth, predicted, 6.0) == Matches(2, 1, 1)
    assert match_centres(truth, predicted, 5.9) == Matches(1, 2, 2)
    assert match_centres(truth, predicted[:0], 6.0) == Matches(0, 0, 3)


def test_as_many_centres_as_can_be_are_matched() -> None:
    """The nearest pair alone would leave the other two out of reach."""
    truth, predicted = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([[3.0, 0.0], [8.5, 0.0]])
    assert match_centres(truth, predicted, 5.0) == Matches(2, 0, 0)


def bar(angle_deg: float, length: float = 30.0, width: float = 10.0) -> np.ndarray:
    rows, cols = np.mgrid[:64, :64] - 31.5
    angle = np.radians(angle_deg)
    along, across = cols * np.cos(angle) + rows * np.sin(angle), rows * np.cos(angle) - cols * np.sin(angle)
    return ((np.abs(along) < length / 2) & (np.abs(across) < width / 2)).astype(np.int32)


@pytest.mark.parametrize(("first", "second", "apart"), [(0, 10, 10), (175, 5, 10), (20, 20, 0), (85, 97, 12)])
def test_axes_are_apart_by_the_smaller_angle(first: float, second: float, apart: float) -> None:
    turned, elongation = axis_errors(bar(first), 7 * bar(second), 0.3)
    assert turned == pytest.approx([apart], abs=1.5)
    assert elongation == pytest.approx([1 / 3], abs=0.02)


def test_axes_of_what_is_not_matched_do_not_count() -> None:
    turned, elongation = axis_errors(bar(0), bar(90), 0.5)
    assert turned.shape == elongation.shape == (0,)
    assert axis_errors(0 * bar(0), bar(0), 0.5)[0].shape == (0,)
