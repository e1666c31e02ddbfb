import numpy as np
import pytest

from pipeline.nuclei.network.resizing import rescaled_size, resized, resized_labels


@pytest.mark.parametrize(("factor", "size"), [(0.5, (20, 30)), (1.0, (40, 60)), (0.001, (1, 1)), (1.26, (50, 76))])
def test_sizes(factor: float, size: tuple[int, int]) -> None:
    assert rescaled_size((40, 60), factor) == size


def test_half_the_size_holds_means_of_four_pixels() -> None:
    rgb = np.repeat(np.array([[0, 100], [40, 60]], np.uint8)[:, :, None], 3, axis=2)
    assert resized(rgb, (1, 1)).tolist() == [[[50, 50, 50]]]


def test_labels_keep_their_numbers_there_and_back() -> None:
    labels = np.zeros((6, 10), np.int32)
    labels[1:4, 2:7] = 70_000
    large = resized_labels(labels, (12, 20))
    assert large.shape == (12, 20)
    assert (large == 70_000).sum() == 4 * 15
    assert np.array_equal(resized_labels(large, (6, 10)), labels)
