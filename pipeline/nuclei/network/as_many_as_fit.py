"""Batches of images in parts that fit a device's memory."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import DeviceError
from pipeline.logs import get_logger

logger = get_logger("nuclei")


class AsManyAsFit:
    """Runs something on batches of images, in halves where the device's memory is too small for a whole one.

    Parameters
    ----------
    run
        Maps images (n, ...), and whatever else it is given, to results (n, ...), each of its image alone.
    device
        As messages name it.
    at_once
        Images in one part, at most; None takes all that are given.
    """

    def __init__(self, run: Callable[..., Tensor], device: torch.device, at_once: int | None = None) -> None:
        self.run = run
        self.device = device
        self.at_once = at_once

    def __call__(self, images: Tensor, *given: Any) -> Tensor:
        """What ``run`` makes of ``images`` and what is ``given``.

        While the memory is too small, the images in a part are halved, for good.

        Raises
        ------
        DeviceError
            If the memory is too small for one image.
        """
        n_images = len(images)
        while True:
            size = min(n_images, self.at_once or n_images)
            try:
                parts = [self.run(part, *given) for part in torch.split(images, size)]
                return parts[0] if len(parts) == 1 else torch.cat(parts)
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise DeviceError(
                        f"{self.device}: too little memory for one image of {_size(images)} pixels; "
                        f"use smaller tiles or a smaller nuclei.block_px, or the CPU."
                    ) from error
                self.at_once = size // 2
                logger.warning("%s: out of memory with %d images, now %d a pass", self.device, size, size // 2)
            # After the handler, because the error's traceback holds on to tensors.
            torch.cuda.empty_cache()


def _size(images: Tensor) -> str:
    """Width x height of images (n, c, h, w), or of uint8 pictures (n, h, w, 3)."""
    height, width = images.shape[1:3] if images.dtype == torch.uint8 else images.shape[2:]
    return f"{width} x {height}"
