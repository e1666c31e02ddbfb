"""A network with style vector sees fields of the size it was trained on, blended as by Cellpose.

The style vector is a mean over the field of view, so a larger field gives other nuclei.
Sides, overlap and blending are those of ``CellposeModel.eval`` 3.1 (Stringer et al. 2021).

Frame: network pixels; images are (n, channels, row, col).
"""

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Float32s
from pipeline.nuclei.network.network_runtime import Runtime

FIELD_PX = 224
OVERLAP = 0.1
"""Least share of a field that it has in common with each neighbour."""

RIM_PX = 8
"""Zeros around the image, at least."""

STRIDE_PX = 16
"""Padded sides are multiples of this."""

EDGE_PX = 20.0
SOFTNESS_PX = 7.5
"""A field's weight falls as a logistic of this width about this far from its edge."""

FIELDS_PER_PASS = 64


def forward_in_fields(run: Runtime, inputs: Float32s) -> Tensor:
    """Output (n, 3, h, w) of inputs (n, 2, h, w) of any h and w, field by field."""
    height, width = inputs.shape[2:]
    rows, columns = _padding(height), _padding(width)
    padded = np.pad(np.asarray(inputs), ((0, 0), (0, 0), rows, columns))
    shape = (padded.shape[2], padded.shape[3])
    size = (min(FIELD_PX, shape[0]), min(FIELD_PX, shape[1]))
    places = list(itertools.product(*(field_starts(side) for side in shape)))
    fields = np.concatenate([padded[:, :, y : y + size[0], x : x + size[1]] for y, x in places])
    parts = range(0, len(fields), FIELDS_PER_PASS)
    outputs = torch.cat([torch.as_tensor(run(fields[first : first + FIELDS_PER_PASS])) for first in parts])
    weight = (taper(size[0])[:, None] * taper(size[1])).to(outputs.device)
    total = outputs.new_zeros((len(inputs), outputs.shape[1], *shape))
    weights = outputs.new_zeros(shape)
    for (y, x), output in zip(places, torch.split(outputs, len(inputs)), strict=True):
        total[:, :, y : y + size[0], x : x + size[1]] += output * weight
        weights[y : y + size[0], x : x + size[1]] += weight
    return (total / weights)[:, :, rows[0] : rows[0] + height, columns[0] : columns[0] + width]


def field_starts(side_px: int) -> list[int]:
    """First pixels of the fields that cover ``side_px`` pixels evenly."""
    if side_px <= FIELD_PX:
        return [0]
    n_fields = math.ceil((1 + 2 * OVERLAP) * side_px / FIELD_PX)
    starts: list[int] = np.linspace(0, side_px - FIELD_PX, n_fields).astype(int).tolist()
    return starts


def taper(side_px: int) -> Tensor:
    """Weight (side_px,) of a field's rows or columns: 1 within, falling towards the edges of a whole field."""
    from_middle = (torch.arange(side_px, dtype=torch.float64) - (side_px - 1) / 2).abs()
    return torch.sigmoid((FIELD_PX / 2 - EDGE_PX - from_middle) / SOFTNESS_PX).float()


def _padding(side_px: int) -> tuple[int, int]:
    missing = -side_px % STRIDE_PX
    return RIM_PX + missing // 2, RIM_PX + missing - missing // 2
