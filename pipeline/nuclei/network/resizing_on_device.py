"""``resizing.resized`` and mirrored edges by torch, for the images of a batch at once.

Along an axis each new pixel is a weighted sum of a few old ones: its taps.

Frame: images are (n, row, col, channel), what a network sees (n, channel, row, col).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Float32s, Int64s
from pipeline.nuclei.network.resizing import Size
from pipeline.transfers import to_device


@dataclass(frozen=True)
class Taps:
    """Old pixels that make new ones, along one axis.

    Attributes
    ----------
    index, weight
        (t, size): which of the old pixels, and how much of each; a new pixel's weights sum to 1.
    """

    index: Int64s
    weight: Float32s


def resized_on_device(rgbs: Tensor, size: Size) -> Tensor:
    """uint8 ``rgbs`` (n, h, w, 3) at ``size``: means of pixels when smaller, between pixels when larger.

    A grey level beside ``resizing.resized`` at most, which rounds in between.
    """
    height, width = rgbs.shape[1:3]
    if (height, width) == size:
        return rgbs
    taps = area_taps if size[1] < width else linear_taps
    across = _applied(rgbs.float(), 2, taps(width, size[1]))
    return _applied(across, 1, taps(height, size[0])).round_().clamp_(0, 255).to(torch.uint8)


def mirrored(inputs: Tensor, stride_px: int) -> Tensor:
    """``inputs`` (n, c, h, w) whose ends are mirrored until the sides are multiples of ``stride_px``."""
    for axis in (2, 3):
        side = inputs.shape[axis]
        if side % stride_px:
            places = np.pad(np.arange(side), (0, -side % stride_px), mode="symmetric")
            inputs = inputs.index_select(axis, to_device(places, inputs.device))
    return inputs


def linear_taps(side: int, new_side: int) -> Taps:
    """Between the two nearest pixel centres; beyond the outermost, these (OpenCV's ``INTER_LINEAR``)."""
    places = np.clip((np.arange(new_side) + 0.5) * side / new_side - 0.5, 0, side - 1)
    first = np.floor(places).astype(np.int64)
    beyond = (places - first).astype(np.float32)
    return Taps(np.stack([first, np.minimum(first + 1, side - 1)]), np.stack([1 - beyond, beyond]))


def area_taps(side: int, new_side: int) -> Taps:
    """Mean of what a new pixel covers (OpenCV's ``INTER_AREA``)."""
    edges = np.arange(new_side + 1) * (side / new_side)
    start, stop = edges[:-1], edges[1:]
    index = np.floor(start).astype(np.int64) + np.arange(int(np.ceil(side / new_side)) + 1)[:, None]
    covered = np.clip(np.minimum(index + 1, stop) - np.maximum(index, start), 0, None)
    return Taps(np.minimum(index, side - 1), (covered / covered.sum(axis=0)).astype(np.float32))


def _applied(images: Tensor, axis: int, taps: Taps) -> Tensor:
    shape = [1] * images.ndim
    shape[axis] = -1
    parts = (
        images.index_select(axis, to_device(index, images.device)) * to_device(weight, images.device).view(shape)
        for index, weight in zip(taps.index, taps.weight, strict=True)
    )
    total = next(parts)
    for part in parts:
        total += part
    return total
