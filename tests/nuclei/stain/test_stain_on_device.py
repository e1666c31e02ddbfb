import numpy as np
import pytest
import torch

from pipeline.nuclei.stain.stain_channels import NetworkInput, StainScale, network_input
from pipeline.nuclei.stain.stain_on_device import network_input_on_device


@pytest.mark.parametrize("kind", ["haematoxylin", "haematoxylin_luminance"])
def test_the_channels_of_the_processor(kind: NetworkInput) -> None:
    rgbs = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), dtype=np.uint8)
    rgbs[0, 0, :2] = [[0, 0, 0], [255, 255, 255]]
    scale = StainScale(0.1, 0.9)
    found = network_input_on_device(torch.from_numpy(rgbs), scale, kind).numpy()
    expected = np.stack([network_input(rgb, scale, kind) for rgb in rgbs])
    assert found.dtype == np.float32
    assert found[:, 0] == pytest.approx(expected[:, 0], abs=1e-6)
    assert found[:, 1] == pytest.approx(expected[:, 1], abs=1e-6)
    assert found[0, 0, 0, 1] == pytest.approx(-0.125)
