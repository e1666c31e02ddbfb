import numpy as np
import pytest
import torch

from pipeline.transfers import host_numbers, to_device, to_host

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_what_leaves_a_device_is_what_was_there(device: str) -> None:
    images = torch.arange(24, dtype=torch.int32).view(2, 3, 4)
    for found in (to_host(images.to(device)), host_numbers(images.to(device))):
        assert found.dtype == np.int32
        assert np.array_equal(found, images.numpy())


@pytest.mark.parametrize("device", DEVICES)
def test_what_goes_to_a_device_is_what_was_here(device: str) -> None:
    values = np.arange(12, dtype=np.int64).reshape(3, 4)[:, ::2]
    there = to_device(values, torch.device(device))
    assert (there.device.type, there.dtype) == (device, torch.int64)
    assert np.array_equal(there.cpu().numpy(), values)
