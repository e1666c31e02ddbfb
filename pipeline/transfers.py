"""What goes to a device and comes back.

A copy waits for all that a card still has to do, unless it is from or into pinned memory.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_device(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    """``values`` on a device, of their shape and dtype, by one copy for which nothing waits; on the CPU by none."""
    held = torch.from_numpy(np.ascontiguousarray(values))
    return held.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else held.to(device)


def to_host(images: Tensor) -> npt.NDArray[Any]:
    """All pixels of a batch as an array, by one copy into pinned memory where they are on a card."""
    if images.device.type == "cpu":
        return images.numpy()
    held = torch.empty(images.shape, dtype=images.dtype, pin_memory=True)
    held.copy_(images, non_blocking=True)
    torch.cuda.current_stream(images.device).synchronize()
    return held.numpy()


def host_numbers(numbers: Tensor) -> npt.NDArray[Any]:
    """A few numbers that decide what comes next; waits for all that the device still has to do before them."""
    return numbers.cpu().numpy()
