"""Flows that the nuclei of a label image have (Stringer et al. 2021), and how far a network's are from them.

A nucleus' flows are the gradient of what diffuses from its middle pixel within it.  The
steps and constants are those of ``cellpose.dynamics`` 3.1 (BSD-3-Clause, Stringer &
Pachitariu).  What the network is trained on and what its nuclei are checked by is the same.

Frame: network pixels, arrays (row, col); flows are (2, h, w), along rows and along columns.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Float32s, Float64s
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.bounding_boxes import bounding_boxes
from pipeline.nuclei.labels.renumbering import renumbered

FLOW_FACTOR = 5.0
"""A network's flows are unit vectors times this."""


def flows_from_labels(labels: Labels) -> Float32s:
    """Unit vectors (2, h, w) towards the middle of each nucleus, 0 outside; label numbers may have gaps."""
    numbered = renumbered(labels, np.ones(int(labels.max(initial=0)) + 1, dtype=bool))
    flows: Float32s = np.zeros((2, *labels.shape), dtype=np.float32)
    _unit_flows(numbered, bounding_boxes(numbered, int(numbered.max(initial=0))), flows)
    return flows


def flow_errors(labels: Labels, n_nuclei: int, flows: Float32s) -> Float64s:
    """Mean square difference (n,) between the flows of each nucleus and ``flows`` (2, h, w) over ``FLOW_FACTOR``.

    Parameters
    ----------
    labels, n_nuclei
        Nuclei 1 to n, each of which must occur.
    """
    errors: Float64s = _flow_errors(
        labels, bounding_boxes(labels, n_nuclei), np.ascontiguousarray(flows, dtype=np.float32)
    )
    return errors


@compiled
def _middle(labels: Any, label: int, box: Any) -> tuple[int, int]:
    """The nucleus' pixel nearest to the mean of its pixels, in the box's frame."""
    row0, col0, row1, col1 = box
    rows = cols = area = 0
    for r in range(row0, row1):
        for c in range(col0, col1):
            if labels[r, c] == label:
                rows, cols, area = rows + r - row0, cols + c - col0, area + 1
    mean_row, mean_col = rows / area, cols / area
    nearest, middle = np.inf, (0, 0)
    for r in range(row1 - row0):
        for c in range(col1 - col0):
            distance = (c - mean_col) ** 2 + (r - mean_row) ** 2
            if labels[row0 + r, col0 + c] == label and distance < nearest:
                nearest, middle = distance, (r, c)
    return middle


@compiled
def _diffused(labels: Any, label: int, box: Any) -> Any:
    """What has diffused from the middle to each pixel of the box, which gets a rim of one pixel."""
    row0, col0, row1, col1 = box
    height, width = row1 - row0 + 2, col1 - col0 + 2
    share = np.zeros((height, width))
    for r in range(row0, row1):
        for c in range(col0, col1):
            if labels[r, c] == label:
                share[r - row0 + 1, c - col0 + 1] = 1 / 9
    row, col = _middle(labels, label, box)
    heat, after, column = np.zeros((height, width)), np.zeros((height, width)), np.zeros(width)
    for _ in range(2 * (height + width)):
        heat[row + 1, col + 1] += 1
        for r in range(1, height - 1):
            for c in range(width):
                column[c] = heat[r - 1, c] + heat[r, c] + heat[r + 1, c]
            for c in range(1, width - 1):
                after[r, c] = share[r, c] * (column[c - 1] + column[c] + column[c + 1])
        heat, after = after, heat
    return heat


@compiled
def _direction(heat: Any, r: int, c: int) -> tuple[float, float]:
    down, right = heat[r + 1, c] - heat[r - 1, c], heat[r, c + 1] - heat[r, c - 1]
    length = 1e-60 + np.sqrt(down**2 + right**2)
    return down / length, right / length


@compiled
def _unit_flows(labels: Any, boxes: Any, flows: Any) -> None:
    for i in range(len(boxes)):
        row0, col0, row1, col1 = boxes[i]
        heat = _diffused(labels, i + 1, boxes[i])
        for r in range(row0, row1):
            for c in range(col0, col1):
                if labels[r, c] == i + 1:
                    flows[0, r, c], flows[1, r, c] = _direction(heat, r - row0 + 1, c - col0 + 1)


@compiled
def _flow_errors(labels: Any, boxes: Any, flows: Any) -> Any:
    errors = np.zeros(len(boxes))
    for i in range(len(boxes)):
        row0, col0, row1, col1 = boxes[i]
        heat = _diffused(labels, i + 1, boxes[i])
        area = 0
        for r in range(row0, row1):
            for c in range(col0, col1):
                if labels[r, c] == i + 1:
                    down, right = _direction(heat, r - row0 + 1, c - col0 + 1)
                    errors[i] += (down - flows[0, r, c] / FLOW_FACTOR) ** 2
                    errors[i] += (right - flows[1, r, c] / FLOW_FACTOR) ** 2
                    area += 1
        errors[i] /= area
    return errors
