import numpy as np

from pipeline.nuclei.labels.renumbering import renumbered

LABELS = np.array([[0, 7, 7, 2], [5, 5, 0, 2], [0, 2, 0, 5]], np.int32)


def test_numbers_follow_the_first_pixels_in_reading_order() -> None:
    every = np.ones(8, dtype=bool)
    assert renumbered(LABELS, every).tolist() == [[0, 1, 1, 2], [3, 3, 0, 2], [0, 2, 0, 3]]


def test_what_is_not_kept_leaves_no_gap() -> None:
    kept = np.ones(8, dtype=bool)
    kept[[0, 7]] = False
    assert renumbered(LABELS, kept).tolist() == [[0, 0, 0, 1], [2, 2, 0, 1], [0, 1, 0, 2]]


def test_the_labels_themselves_are_left_alone() -> None:
    before = LABELS.copy()
    renumbered(LABELS, np.ones(8, dtype=bool))
    assert np.array_equal(LABELS, before)


def test_no_nucleus() -> None:
    assert not renumbered(np.zeros((2, 3), np.int32), np.ones(1, dtype=bool)).any()
