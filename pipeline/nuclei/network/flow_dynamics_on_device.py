"""``flow_dynamics`` by torch, for all images of a batch at once: from a network's flows to nuclei.

All stays on the device; what the host must know between two steps are a few numbers, see
``transfers.host_numbers``.

Frame: network pixels, arrays (row, col).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.nuclei.network.flow_dynamics import (
    MAX_NUCLEUS_FRACTION,
    MIN_GROWN_PIXELS,
    MIN_SEED_PIXELS,
    PEAK_PX,
    SEED_REACH_PX,
)
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR
from pipeline.nuclei.network.nucleus_flows_on_device import NucleusPixels, flow_errors_on_device
from pipeline.transfers import host_numbers, to_device

ROUNDING_PX = 1 / 8192
"""Guard: a place this far below a whole pixel is that pixel; in 2,000 px places are known to 6e-5 px."""


@dataclass(frozen=True)
class FollowedPixels:
    """Pixels inside nuclei of a batch of images, image by image in reading order, and where they end.

    Attributes
    ----------
    image
        int64 (k,), which image of the batch.
    row, col, end_row, end_col
        int64 (k,), whole pixels.
    """

    image: Tensor
    row: Tensor
    col: Tensor
    end_row: Tensor
    end_col: Tensor


def labels_on_device(outputs: Tensor, *, steps: int, cellprob_threshold: float, flow_threshold: float) -> Tensor:
    """Nuclei int32 (n, h, w) of each image, 0 = background; numbers have gaps, and none occurs in two images.

    Those of ``flow_dynamics.labels_from_ends`` before their holes are filled.

    Parameters
    ----------
    outputs
        (n, 3, h, w), float32, on any device: flows along rows and columns, logits.
    steps, cellprob_threshold
        See ``flow_dynamics.follow_flows``.
    flow_threshold
        See ``flow_dynamics.labels_from_ends``.
    """
    n_images, _, height, width = outputs.shape
    with torch.inference_mode():
        followed = follow_flows_on_device(outputs, steps=steps, cellprob_threshold=cellprob_threshold)
        label, n_labels = _seeds_of_ends(followed, n_images, height, width)
        area = torch.zeros(n_labels + 1, dtype=torch.int64, device=outputs.device)
        area.scatter_add_(0, label, torch.ones_like(label))
        kept = (area <= MAX_NUCLEUS_FRACTION * height * width) & (area > 0)
        kept[:1].fill_(False)
        if n_labels and flow_threshold > 0:
            flows = outputs[followed.image, :2, followed.row, followed.col]
            pixels = NucleusPixels(label, followed.row, followed.col, flows)
            kept &= flow_errors_on_device(pixels, kept) <= flow_threshold
        labels = torch.zeros((n_images, height, width), dtype=torch.int32, device=outputs.device)
        labels[followed.image, followed.row, followed.col] = torch.where(kept[label], label, 0).int()
    return labels


def follow_flows_on_device(outputs: Tensor, *, steps: int, cellprob_threshold: float) -> FollowedPixels:
    """Pixels inside nuclei and where they end; see ``flow_dynamics.follow_flows``.

    Places run from -1 to 1 along both axes, as ``grid_sample`` counts between the middles of the outermost pixels, so
    that a step is three operations.
    """
    n_images, _, height, width = outputs.shape
    with torch.inference_mode():
        inside = outputs[:, 2] > cellprob_threshold
        counts = inside.sum(dim=(1, 2))
        image, row, col = torch.nonzero(inside, as_tuple=True)
        most = int(host_numbers(counts.amax(0, keepdim=True))[0])
        # One pixel is its own middle: without extent there is nowhere to go.
        extent = to_device(np.array([max(width - 1, 1), max(height - 1, 1)], np.float32), outputs.device)
        field = outputs[:, :2].flip(1) * inside[:, None] * (2 / (FLOW_FACTOR * extent)).view(1, 2, 1, 1)
        slot = torch.arange(len(image), device=image.device) - (counts.cumsum(0) - counts)[image]
        places = outputs.new_zeros((n_images, 1, most, 2))
        places[image, 0, slot] = torch.stack([col, row], dim=1) * (2 / extent) - 1
        for _ in range(steps if most else 0):
            moved = functional.grid_sample(field, places, padding_mode="border", align_corners=True)
            places.add_(moved.permute(0, 2, 3, 1)).clamp_(-1, 1)
        end_col, end_row = ((places[image, 0, slot] + 1) * (extent / 2) + ROUNDING_PX).long().unbind(1)
        # A picture one pixel wide has no extent, and there the guard would lead beyond it.
        return FollowedPixels(image, row, col, end_row.clamp_(max=height - 1), end_col.clamp_(max=width - 1))


def _seeds_of_ends(followed: FollowedPixels, n_images: int, height: int, width: int) -> tuple[Tensor, int]:
    """Seed (k,) that takes in each pixel's end, 0 = none, and the number of seeds; see ``flow_dynamics``."""
    reach = SEED_REACH_PX
    rows, cols = height + 2 * reach, width + 2 * reach
    place = (followed.image * rows + followed.end_row + reach) * cols + followed.end_col + reach
    count = torch.zeros(n_images * rows * cols, dtype=torch.int32, device=place.device)
    count.scatter_add_(0, place, torch.ones_like(place, dtype=torch.int32))
    ends = count.view(n_images, 1, rows, cols).float()
    highest = functional.max_pool2d(ends, PEAK_PX, stride=1, padding=PEAK_PX // 2)
    seeds = torch.nonzero(((ends == highest) & (ends >= MIN_SEED_PIXELS)).view(-1))[:, 0]
    # Later seeds take pixels of earlier ones: those with more ends, of as many the later in reading order.
    seeds = seeds[torch.argsort(count[seeds], stable=True)]
    n_seeds = len(seeds)
    if not n_seeds:
        return torch.zeros_like(place), 0
    steps = torch.arange(-reach, reach + 1, device=place.device)
    windows = seeds[:, None, None] + steps[:, None] * cols + steps
    solid = (count[windows] >= MIN_GROWN_PIXELS).float()[:, None]
    near = torch.zeros_like(solid)
    near[:, :, reach, reach].fill_(1)
    for _ in range(reach):
        near = functional.max_pool2d(near, 3, stride=1, padding=1) * solid
    number = torch.arange(1, n_seeds + 1, dtype=torch.int32, device=place.device).view(-1, 1, 1)
    taken = torch.zeros_like(count)
    taken.scatter_reduce_(0, windows.view(-1), (number * near[:, 0].int()).view(-1), "amax")
    return taken[place].long(), n_seeds
