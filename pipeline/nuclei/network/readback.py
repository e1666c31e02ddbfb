"""The two ways in which anything leaves a device: a batch's labels, and a few numbers that decide what comes next."""

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


def to_host(images: Tensor) -> npt.NDArray[Any]:
    """All pixels of a batch as an array, by one copy into pinned memory where they are on a card."""
    if images.device.type == "cpu":
        return images.numpy()
    held = torch.empty(images.shape, dtype=images.dtype, pin_memory=True)
    held.copy_(images, non_blocking=True)
    torch.cuda.current_stream(images.device).synchronize()
    return held.numpy()


def host_numbers(numbers: Tensor) -> npt.NDArray[Any]:
    """A few numbers as an array, at most some for each nucleus."""
    return numbers.cpu().numpy()
