"""A network with style vector sees fields of the size it was trained on, blended as by Cellpose.

The style vector is a mean over the field of view, so a larger field gives other nuclei.
Sides, overlap and blending are those of ``CellposeModel.eval`` 3.1 (Stringer et al. 2021).

Frame: network pixels; images are (n, channels, row, col).
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.arrays import Float32s
from pipeline.nuclei.network.network_runtime import Runtime
from pipeline.transfers import to_device

FIELD_PX = 224
"""Side of a field."""

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
"""Guard on memory."""


def forward_in_fields(run: Runtime, inputs: Float32s | Tensor) -> Tensor:
    """Output (n, 3, h, w), where ``run`` leaves it, of inputs (n, 2, h, w) of any h and w, seen in fields."""
    images = torch.as_tensor(inputs)
    (height, width), device = images.shape[2:], images.device
    rows, cols = _axis(height), _axis(width)
    padded = functional.pad(images, (*cols.padding, *rows.padding))
    cut = padded[:, :, rows.pixels(device)[:, None, :, None], cols.pixels(device)[None, :, None, :]]
    # (n, channels, field rows, field columns, row, col) to fields, all images of the first place first.
    fields = cut.permute(2, 3, 0, 1, 4, 5).flatten(0, 2)
    outputs = torch.cat([torch.as_tensor(run(part)) for part in torch.split(fields, FIELDS_PER_PASS)])
    return _blended(outputs.view(-1, len(images), *outputs.shape[1:]), rows, cols)


def _blended(outputs: Tensor, rows: "_Axis", cols: "_Axis") -> Tensor:
    """Image (n, 3, h, w) of outputs (place, n, 3, row, col): each pixel is a weighted mean over its fields.

    Pixels gather from fields instead of fields being added to pixels: a few operations for all fields, and sums whose
    order is always the same.
    """
    _, n_images, n_channels, *size = outputs.shape
    # Images and channels last, so that what is gathered lies together.
    flat = outputs.permute(0, 3, 4, 1, 2).reshape(-1, n_images * n_channels)
    total = flat.new_zeros((rows.n_px * cols.n_px, flat.shape[1]))
    weights = flat.new_zeros((len(total), 1))
    for row, col in product(rows.covering(flat.device), cols.covering(flat.device)):
        place = row.field[:, None] * len(cols.starts) + col.field
        pixel = (place * size[0] + row.offset[:, None]) * size[1] + col.offset
        weight = (row.weight[:, None] * col.weight).view(-1, 1)
        total += flat.index_select(0, pixel.view(-1)).mul_(weight)
        weights += weight
    return (total / weights).view(rows.n_px, cols.n_px, n_images, n_channels).permute(2, 3, 0, 1).contiguous()


@dataclass(frozen=True)
class _Covering:
    """For each pixel of an axis one of the fields that hold it, its place there and its weight, 0 without a field."""

    field: Tensor
    offset: Tensor
    weight: Tensor


@dataclass(frozen=True)
class _Axis:
    """Fields along one axis.

    Attributes
    ----------
    n_px
        Pixels of the image.
    padding
        Zeros ahead of it and behind it.
    side_px
        Of a field.
    starts
        First pixels of the fields, in the padded image.
    """

    n_px: int
    padding: tuple[int, int]
    side_px: int
    starts: list[int]

    def pixels(self, device: torch.device) -> Tensor:
        """Pixels (fields, side) of each field in the padded image."""
        return to_device(np.add.outer(np.array(self.starts), np.arange(self.side_px)), device)

    def covering(self, device: torch.device) -> list[_Covering]:
        """The first field of each pixel of the image, the second, and so on."""
        places = np.arange(self.n_px) + self.padding[0]
        starts = np.array(self.starts)
        first = np.searchsorted(starts, places - self.side_px, side="right")
        n_covering = np.searchsorted(starts, places, side="right") - first
        weights = taper(self.side_px).numpy()
        found = []
        for number in range(int(n_covering.max())):
            field = np.minimum(first + number, len(starts) - 1)
            offset = np.clip(places - starts[field], 0, self.side_px - 1)
            weight = np.where(number < n_covering, weights[offset], np.float32(0))
            found.append(_Covering(*(to_device(values, device) for values in (field, offset, weight))))
        return found


def _axis(n_px: int) -> _Axis:
    padding = _padding(n_px)
    padded = n_px + sum(padding)
    return _Axis(n_px, padding, min(FIELD_PX, padded), field_starts(padded))


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
