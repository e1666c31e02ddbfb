import numpy as np
import pytest

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
