import numpy as np
import pytest
from skimage.measure import label

from pipeline.nuclei.labels.whole_nuclei import largest_pieces, whole_nuclei


def test_whole_nuclei_keeps_the_largest_piece_and_numbers_anew() -> None:
    labels = np.zeros((6, 10), np.int32)
    labels[0:2, 0:2] = 5
    labels[4:6, 0:4] = 5  # the larger piece of the same label
    labels[0:2, 6:8] = 2
    labels[5, 9] = 7  # too small
    expected = np.zeros_like(labels)
    expected[0:2, 6:8] = 1
    expected[4:6, 0:4] = 2
    assert np.array_equal(whole_nuclei(labels, min_area_px=4), expected)
    assert np.array_equal(whole_nuclei(labels, min_area_px=5), np.where(expected == 2, 1, 0))


@pytest.mark.parametrize("labels", [np.zeros((4, 4), np.int32), np.ones((4, 4), np.int32)])
def test_whole_nuclei_of_all_or_nothing(labels: np.ndarray) -> None:
    assert np.array_equal(whole_nuclei(labels, 1), labels)


def test_first_pixel_of_the_largest_piece() -> None:
    labels = np.zeros((6, 10), np.int32)
    labels[0, 0:2] = 1
    labels[3, 5] = labels[4, 6] = labels[5, 5] = 1  # larger, joined by corners
    labels[2, 1] = 2
    firsts, pieces = largest_pieces(labels, 2)
    assert firsts.tolist() == [[3, 5], [2, 1]]
    assert np.array_equal(pieces > 0, labels > 0)
    assert pieces[3, 5] == pieces[4, 6] == pieces[5, 5] != pieces[0, 0]


def test_corners_do_not_connect_a_nucleus_and_of_equal_pieces_the_first_counts() -> None:
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.int32)
    assert whole_nuclei(labels, 1).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_touching_nuclei_stay_apart() -> None:
    labels = np.array([[1, 1, 2, 2], [1, 1, 2, 2]], np.int32)
    assert np.array_equal(whole_nuclei(labels, 1), labels)


def test_pieces_are_scikit_image_s() -> None:
    labels = (np.random.default_rng(0).random((60, 70)) * 3).astype(np.int32)
    n_nuclei = int(labels.max())
    _, pieces = largest_pieces(labels, n_nuclei)
    assert np.array_equal(pieces, label(labels, connectivity=2))
    largest = np.zeros_like(labels)
    for number in range(1, n_nuclei + 1):
        parts = label(labels == number, connectivity=1)
        largest[parts == np.bincount(parts.ravel())[1:].argmax() + 1] = number
    assert np.array_equal(whole_nuclei(labels, 1), largest)
