"""``nucleus_flows.flow_errors`` by torch, for the nuclei of all images of a batch at once.

Every nucleus has a square of its own, its box with a rim of one pixel; squares of one side lie one behind the other
in one long tensor, so that all of a side diffuse together.

Frame: network pixels, (row, col); in a square counted from its corner.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.arrays import Int64s
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR
from pipeline.transfers import host_numbers, to_device

SIDES_PX = (16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512)
"""Sides of squares; of larger nuclei, the next multiple of the last."""


@dataclass(frozen=True)
class NucleusPixels:
    """Pixels of the nuclei of a batch, image by image in reading order.

    Attributes
    ----------
    label
        int64 (k,), 1 and up; no number occurs in two images; 0 = no nucleus.
    row, col
        int64 (k,).
    flows
        float32 (k, 2), the network's along rows and columns.
    """

    label: Tensor
    row: Tensor
    col: Tensor
    flows: Tensor


def flow_errors_on_device(pixels: NucleusPixels, asked: Tensor) -> Tensor:
    """Mean square difference between the flows of each nucleus and the network's; see ``nucleus_flows.flow_errors``.

    Parameters
    ----------
    asked
        bool (highest label + 1,): nuclei that are looked at; each must have a pixel, the background must not be asked.

    Returns
    -------
    float64 (highest label + 1,), 0 where nothing was asked.
    """
    squares = _squares(pixels, asked)
    errors = torch.zeros(len(asked), dtype=torch.float64, device=asked.device)
    area = torch.zeros_like(errors)
    if not len(squares.steps):
        return errors
    heat = _diffused(squares)
    step = squares.side_of_pixel
    down = heat[squares.place + step] - heat[squares.place - step]
    right = heat[squares.place + 1] - heat[squares.place - 1]
    length = torch.hypot(down, right) + 1e-60
    flows = squares.flows.double() / FLOW_FACTOR
    off = (down / length - flows[:, 0]) ** 2 + (right / length - flows[:, 1]) ** 2
    errors.scatter_add_(0, squares.label, off)
    area.scatter_add_(0, squares.label, torch.ones_like(off))
    return errors / area.clamp_(min=1)


@dataclass(frozen=True)
class _Squares:
    """Squares of nuclei, sorted by side, then by the steps they diffuse, the most first.

    Attributes
    ----------
    label, flows
        Of each pixel that counts.
    place, side_of_pixel
        int64 (k,): where it lies in the long tensor, and how far the next row of its square is.
    middle
        int64 (s,): place of each square's middle, in the order of the squares.
    side, steps
        int64 (s,), on the host.
    """

    label: Tensor
    flows: Tensor
    place: Tensor
    side_of_pixel: Tensor
    middle: Tensor
    side: Int64s
    steps: Int64s


def _squares(pixels: NucleusPixels, asked: Tensor) -> _Squares:
    device, n_labels = asked.device, len(asked)
    counted = torch.nonzero(asked[pixels.label])[:, 0]
    label, row, col = (values[counted] for values in (pixels.label, pixels.row, pixels.col))
    top, left = (_extreme(values, label, n_labels, "amin") for values in (row, col))
    bottom, right = (_extreme(values, label, n_labels, "amax") for values in (row, col))
    boxes = host_numbers(torch.stack([bottom - top + 3, right - left + 3, asked.long()]))
    rows, cols, is_asked = boxes
    labels = np.flatnonzero(is_asked)
    side, steps = _sides(np.maximum(rows, cols)[labels]), 2 * (rows + cols)[labels]
    order = np.lexsort((labels, -steps, side))
    labels, side, steps = labels[order], side[order], steps[order]
    start = np.concatenate([[0], np.cumsum(side**2)])[:-1]
    table = np.zeros((2, n_labels), np.int64)
    table[:, labels] = start, side
    start_of, side_of = to_device(table, device)
    place = start_of[label] + (row - top[label] + 1) * side_of[label] + col - left[label] + 1
    nearest = _nearest_to_mean(label, row - top[label], col - left[label], n_labels)
    middle = _extreme(torch.where(nearest, place, torch.iinfo(torch.int64).max), label, n_labels, "amin")
    return _Squares(label, pixels.flows[counted], place, side_of[label], middle[to_device(labels, device)], side, steps)


def _extreme(values: Tensor, label: Tensor, n_labels: int, which: str) -> Tensor:
    """Least or largest of the values of each label (n_labels,); 0 where there is none."""
    result = torch.zeros(n_labels, dtype=values.dtype, device=values.device)
    return result.scatter_reduce_(0, label, values, which, include_self=False)


def _nearest_to_mean(label: Tensor, row: Tensor, col: Tensor, n_labels: int) -> Tensor:
    """Which pixels (k,) are nearest to the mean of their nucleus' pixels; of several, all."""
    area = torch.zeros(n_labels, dtype=torch.int64, device=label.device)
    area.scatter_add_(0, label, torch.ones_like(label))
    away = torch.zeros(len(label), dtype=torch.float64, device=label.device)
    for values in (col, row):
        mean = torch.zeros_like(area).scatter_add_(0, label, values).double() / area.clamp(min=1)
        away += (values - mean[label]) ** 2
    return away == _extreme(away, label, n_labels, "amin")[label]


def _sides(needed: Int64s) -> Int64s:
    known = np.asarray(SIDES_PX)
    beyond = -(-needed // SIDES_PX[-1]) * SIDES_PX[-1]
    place = np.searchsorted(known, needed)
    return np.where(place < len(known), known[np.minimum(place, len(known) - 1)], beyond).astype(np.int64)


def _diffused(squares: _Squares) -> Tensor:
    """What has diffused from the middles to each place of the long tensor, float64; see ``nucleus_flows``."""
    n_places = int((squares.side**2).sum())
    heat = torch.zeros(n_places, dtype=torch.float64, device=squares.place.device)
    share = torch.zeros_like(heat)
    share.index_fill_(0, squares.place, 1)
    source = torch.zeros_like(heat)
    source.index_fill_(0, squares.middle, 1)
    first = 0
    for side in np.unique(squares.side):
        steps = squares.steps[squares.side == side]
        here = slice(first, first + len(steps) * int(side) ** 2)
        heat_here, share_here, source_here = (
            flat[here].view(len(steps), 1, int(side), int(side)) for flat in (heat, share, source)
        )
        _diffuse(heat_here, share_here, source_here, steps)
        first = here.stop
    return heat


def _diffuse(heat: Tensor, share: Tensor, source: Tensor, steps: Int64s) -> None:
    """Diffuse in squares (s, 1, side, side) in place, each for its own number of ``steps``, which fall."""
    for step in range(int(steps[0])):
        active = int(np.searchsorted(-steps, -step))
        part = heat[:active].add_(source[:active])
        torch.mul(functional.avg_pool2d(part, 3, stride=1, padding=1), share[:active], out=part)
