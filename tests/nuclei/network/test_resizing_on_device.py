import numpy as np
import pytest
import torch

from pipeline.nuclei.network.resizing import resized
from pipeline.nuclei.network.resizing_on_device import area_taps, linear_taps, mirrored, resized_on_device
from pipeline.synthetic.painting.tissue import PaintedTissue


@pytest.mark.parametrize("size", [(128, 160), (65, 80), (100, 97), (281, 352), (512, 640), (1, 1), (257, 321)])
def test_a_grey_level_beside_the_processor_s_at_most(tissue: PaintedTissue, size: tuple[int, int]) -> None:
    pictures = torch.from_numpy(np.stack([tissue.rgb, tissue.rgb[::-1].copy()]))
    found = resized_on_device(pictures, size).numpy()
    for one, rgb in zip(found, pictures.numpy(), strict=True):
        off = np.abs(one.astype(int) - resized(rgb, size))
        assert one.shape == (*size, 3)
        assert off.max() <= 1
        assert off.mean() < 0.2


def test_a_picture_of_the_right_size_is_itself(tissue: PaintedTissue) -> None:
    picture = torch.from_numpy(tissue.rgb)[None]
    assert resized_on_device(picture, (256, 320)) is picture


def test_taps_by_hand() -> None:
    """Four pixels to six: centres at 1/6, 5/6, ...; five to two: two pixels and half the middle one each."""
    linear = linear_taps(4, 6)
    assert linear.index[0].tolist() == [0, 0, 1, 1, 2, 3]
    assert linear.weight[1] == pytest.approx([0, 0.5, 1 / 6, 5 / 6, 0.5, 0], abs=1e-6)
    area = area_taps(5, 2)
    assert (area.weight * (area.index + 1)).sum(axis=0) == pytest.approx([(1 + 2 + 1.5) / 2.5, (1.5 + 4 + 5) / 2.5])


@pytest.mark.parametrize("shape", [(40, 56), (41, 55), (3, 5), (1, 1)])
def test_edges_are_mirrored_to_the_stride(shape: tuple[int, int]) -> None:
    inputs = torch.rand(2, 2, *shape)
    padding = ((0, 0), (0, 0), (0, -shape[0] % 8), (0, -shape[1] % 8))
    assert np.array_equal(mirrored(inputs, 8).numpy(), np.pad(inputs.numpy(), padding, mode="symmetric"))
