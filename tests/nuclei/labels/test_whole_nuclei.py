import numpy as np
import pytest

from pipeline.nuclei.labels.whole_nuclei import largest_pieces, whole_nuclei
from pipeline.nuclei.learning.detection_scores import match_nuclei


def test_whole_nuclei_keeps_the_largest_piece_and_numbers_anew() -> None:
    labels = np.zeros((6, 10), np.int32)
    labels[0:2, 0:2] = 5
    labels[4:6, 0:4] = 5  # the larger piece of the same label
    labels[0:2, 6:8] = 2
    labels[5, 9] = 7  # too small
    expected = np.zeros_like(labels)
    expected[0:2, 6:8] = 1
    expected[4:6, 0:4] = 2
    found = whole_nuclei(labels, min_area_px=2)
    assert len(np.unique(found)) == 3
    assert np.array_equal(found > 0, expected > 0)
    assert match_nuclei(expected, found, 1.0).average_precision == 1


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
