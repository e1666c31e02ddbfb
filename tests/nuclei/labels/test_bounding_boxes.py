import numpy as np
import pytest
from scipy.ndimage import find_objects

from pipeline.nuclei.labels.bounding_boxes import bounding_boxes


def test_boxes_by_eye() -> None:
    labels = np.zeros((6, 9), np.int32)
    labels[1:3, 2:7] = 1
    labels[5, 8] = 2
    labels[0, 0] = labels[4, 1] = 3
    assert bounding_boxes(labels, 3).tolist() == [[1, 2, 3, 7], [5, 8, 6, 9], [0, 0, 5, 2]]


@pytest.mark.parametrize("shape", [(0, 0), (4, 5)])
def test_no_nucleus(shape: tuple[int, int]) -> None:
    assert bounding_boxes(np.zeros(shape, np.int32), 0).shape == (0, 4)


def test_boxes_are_scipy_s() -> None:
    labels = (np.random.default_rng(1).random((40, 31)) * 6).astype(np.int32)
    labels[:12, :20] = 0
    expected = [[rows.start, cols.start, rows.stop, cols.stop] for rows, cols in find_objects(labels)]
    assert bounding_boxes(labels, 5).tolist() == expected
