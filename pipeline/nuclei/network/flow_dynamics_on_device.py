"""The flows of ``pipeline.nuclei.network.flow_dynamics`` followed by torch, for all images of a batch at once.

Frame: network pixels, arrays (row, col).
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Int32s
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR


def follow_flows_on_device(outputs: Tensor, *, steps: int, cellprob_threshold: float) -> list[tuple[Int32s, Int32s]]:
    """Pixels inside nuclei and where they end, of each image.

    Parameters
    ----------
    outputs
        (n, 3, h, w), float32, on any device: flows along rows and columns, logits.
    steps, cellprob_threshold
        See ``flow_dynamics.follow_flows``.

    Returns
    -------
    For each image two arrays (k, 2) of rows and columns; see ``flow_dynamics.follow_flows``.
    """
    n_images, _, height, width = outputs.shape
    with torch.inference_mode():
        inside = outputs[:, 2] > cellprob_threshold
        field = (outputs[:, :2] * inside[:, None] / FLOW_FACTOR).permute(0, 2, 3, 1).reshape(-1, 2)
        image, row, col = torch.nonzero(inside, as_tuple=True)
        first = image * (height * width)
        places = torch.stack([row, col], dim=1).float()
        last = places.new_tensor([height - 1, width - 1])
        for _ in range(steps):
            places = (places + _interpolated(field, first, places, width, last)).clamp_(min=0).minimum(last)
        counts = torch.bincount(image, minlength=n_images).tolist()
        pixels = torch.stack([row, col], dim=1).int().cpu().numpy()
        ends = places.int().cpu().numpy()
    cuts = np.cumsum(counts)[:-1]
    return list(zip(np.split(pixels, cuts), np.split(ends, cuts), strict=True))


def _interpolated(field: Tensor, first: Tensor, places: Tensor, width: int, last: Tensor) -> Tensor:
    """Flows (k, 2) at ``places`` between pixels."""
    corner = places.floor()
    beyond = torch.minimum(corner + 1, last).long()
    y, x = (places - corner).unsqueeze(2).unbind(1)
    near = corner.long()
    upper, lower = first + near[:, 0] * width, first + beyond[:, 0] * width
    above = field[upper + near[:, 1]] * (1 - x) + field[upper + beyond[:, 1]] * x
    below = field[lower + near[:, 1]] * (1 - x) + field[lower + beyond[:, 1]] * x
    return above * (1 - y) + below * y
