"""From a network's flows to nuclei and back (Stringer et al. 2021), compiled, without torch.

Pixels follow the flows; pixels that end at one place are one nucleus; a nucleus whose own
flows differ from the network's is dropped.  The steps and constants are those of
``cellpose.dynamics`` 3.1 (BSD-3-Clause, Stringer & Pachitariu), whose nuclei these are.

Frame: network pixels, arrays (row, col); flows are (2, h, w), along rows and along columns.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.compiled import compiled
from pipeline.nuclei.labels.bounding_boxes import bounding_boxes

Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Ends = npt.NDArray[np.int32]

FLOW_FACTOR = 5.0
"""Cellpose trains flows of this length."""

MIN_SEED_PIXELS = 11
"""A place where fewer pixels end is no nucleus."""

MIN_GROWN_PIXELS = 3
"""Around a seed, places where fewer pixels end are left out."""

SEED_REACH_PX = 5
"""A seed takes in places up to this far from it."""

PEAK_PX = 5
"""A seed has the most ends in a square of this side."""

MAX_NUCLEUS_FRACTION = 0.4
"""A nucleus larger than this share of the image is dropped."""

_BLOCK = 64
"""Pixels followed together, so that their steps overlap in the processor."""


def labels_from_flows(
    flows: Floats, logits: Floats, *, steps: int, cellprob_threshold: float, flow_threshold: float
) -> Labels:
    """Nuclei (h, w), numbered 1 to n by their first pixel, 0 = background.

    Parameters
    ----------
    flows
        The network's, ``FLOW_FACTOR`` long where it is sure.
    logits
        (h, w), of belonging to a nucleus.
    steps
        How often every pixel is moved.
    cellprob_threshold
        Pixels above this logit belong to nuclei.
    flow_threshold
        A nucleus is dropped if the mean square difference between its flows and the
        network's is larger; 0 keeps all.
    """
    output = np.concatenate([flows, logits[None]])
    pixels, ends = follow_flows(output, steps=steps, cellprob_threshold=cellprob_threshold)
    return labels_from_ends(pixels, ends, flows, flow_threshold=flow_threshold)


def follow_flows(output: Floats, *, steps: int, cellprob_threshold: float) -> tuple[Ends, Ends]:
    """Pixels inside nuclei and where they end, cut to whole pixels: two arrays (k, 2) of rows and columns.

    Parameters
    ----------
    output
        (3, h, w): flows and logits; see ``labels_from_flows`` for the others.
    """
    inside = output[2] > cellprob_threshold
    field = np.moveaxis(output[:2] * inside, 0, -1) / np.float32(FLOW_FACTOR)
    pixels = np.argwhere(inside).astype(np.int32)
    places = pixels.astype(np.float32)
    _follow(np.ascontiguousarray(field, dtype=np.float32), places, steps)
    return pixels, places.astype(np.int32)


def labels_from_ends(pixels: Ends, ends: Ends, flows: Floats, *, flow_threshold: float) -> Labels:
    """Nuclei (h, w) of pixels (n, 2) that end at ``ends`` (n, 2); see ``labels_from_flows``."""
    height, width = flows.shape[1:]
    labels = np.zeros((height, width), dtype=np.int32)
    labels[pixels[:, 0], pixels[:, 1]] = _seed_of_ends(ends, height, width)
    areas = np.bincount(labels.ravel())
    labels = _renumbered(labels, areas <= MAX_NUCLEUS_FRACTION * labels.size)
    n_nuclei = int(labels.max(initial=0))
    if n_nuclei and flow_threshold > 0:
        errors = _flow_errors(labels, bounding_boxes(labels, n_nuclei), np.ascontiguousarray(flows, np.float32))
        labels = _renumbered(labels, np.concatenate([[False], errors <= flow_threshold]))
        n_nuclei = int(labels.max(initial=0))
    _fill_holes(labels, bounding_boxes(labels, n_nuclei))
    result: Labels = _renumbered(labels, np.ones(n_nuclei + 1, dtype=bool))
    return result


def flows_from_labels(labels: npt.NDArray[np.integer[Any]]) -> Floats:
    """Unit vectors (2, h, w) towards the middle of each nucleus, 0 outside.

    They are the gradient of what diffuses from the nucleus' middle pixel within it.
    Label numbers may have gaps.
    """
    numbered = _renumbered(labels.astype(np.int32), np.ones(int(labels.max(initial=0)) + 1, dtype=bool))
    flows: Floats = np.zeros((2, *labels.shape), dtype=np.float32)
    _unit_flows(numbered, bounding_boxes(numbered, int(numbered.max(initial=0))), flows)
    return flows


def _seed_of_ends(ends: Ends, height: int, width: int) -> Labels:
    """Number of the seed that takes in each end, 0 = none."""
    rim = SEED_REACH_PX
    shape = (height + 2 * rim, width + 2 * rim)
    place = (ends[:, 0] + rim) * shape[1] + ends[:, 1] + rim
    count = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)
    highest = cv2.dilate(count, np.ones((PEAK_PX, PEAK_PX), np.uint8), borderType=cv2.BORDER_CONSTANT)
    seeds = np.argwhere((count == highest) & (count >= MIN_SEED_PIXELS))
    seeds = seeds[np.argsort(count[seeds[:, 0], seeds[:, 1]], kind="stable")]
    taken = np.zeros(shape, dtype=np.int32)
    _grow(count, seeds, taken)
    seed: Labels = taken.ravel()[place]
    return seed


@compiled
def _follow(field: Any, places: Any, steps: int) -> None:
    height, width = field.shape[:2]
    last_row, last_col = np.float32(height - 1), np.float32(width - 1)
    for start in range(0, len(places), _BLOCK):
        stop = min(start + _BLOCK, len(places))
        for _ in range(steps):
            moved = False
            for i in range(start, stop):
                row, col = places[i, 0], places[i, 1]
                r0, c0 = int(row), int(col)
                r1, c1 = min(height - 1, r0 + 1), min(width - 1, c0 + 1)
                y, x = row - np.float32(r0), col - np.float32(c0)
                # Mixed precision as in Cellpose, so that pixels end where its pixels end.
                down = np.float32(
                    field[r0, c0, 0] * (1 - y) * (1 - x)
                    + field[r0, c1, 0] * (1 - y) * x
                    + field[r1, c0, 0] * y * (1 - x)
                    + field[r1, c1, 0] * y * x
                )
                right = np.float32(
                    field[r0, c0, 1] * (1 - y) * (1 - x)
                    + field[r0, c1, 1] * (1 - y) * x
                    + field[r1, c0, 1] * y * (1 - x)
                    + field[r1, c1, 1] * y * x
                )
                new_row = min(last_row, max(np.float32(0), row + down))
                new_col = min(last_col, max(np.float32(0), col + right))
                moved |= (new_row != row) | (new_col != col)
                places[i, 0], places[i, 1] = new_row, new_col
            if not moved:
                break


@compiled
def _grow(count: Any, seeds: Any, taken: Any) -> None:
    """Write 1 + its index around each seed, later seeds over earlier ones."""
    reach = SEED_REACH_PX
    side = 2 * reach + 1
    near = np.zeros((side + 2, side + 2), dtype=np.bool_)
    for k in range(len(seeds)):
        top, left = seeds[k, 0] - reach, seeds[k, 1] - reach
        near[:] = False
        near[reach + 1, reach + 1] = True
        for ring in range(1, reach + 1):
            before = near.copy()
            for r in range(reach - ring, reach + ring + 1):
                for c in range(reach - ring, reach + ring + 1):
                    if count[top + r, left + c] >= MIN_GROWN_PIXELS:
                        near[r + 1, c + 1] = before[r : r + 3, c : c + 3].any()
        for r in range(side):
            for c in range(side):
                if near[r + 1, c + 1]:
                    taken[top + r, left + c] = k + 1


@compiled
def _renumbered(labels: Any, kept: Any) -> Any:
    """Labels numbered 1 to n by their first pixel, without those not ``kept``."""
    number = np.zeros(len(kept), dtype=np.int32)
    result = np.zeros_like(labels)
    n_nuclei = 0
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            label = labels[r, c]
            if label == 0 or not kept[label]:
                continue
            if number[label] == 0:
                n_nuclei += 1
                number[label] = n_nuclei
            result[r, c] = number[label]
    return result


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
    """Mean square difference (n,) between the flows of each nucleus and the network's."""
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


@compiled
def _fill_holes(labels: Any, boxes: Any) -> None:
    """Give each nucleus, in order, whatever it encloses."""
    for i in range(len(boxes)):
        row0, col0, row1, col1 = boxes[i]
        height, width = row1 - row0 + 2, col1 - col0 + 2
        outside = np.zeros((height, width), dtype=np.bool_)
        outside[0, 0] = True
        front = [(0, 0)]
        while front:
            r, c = front.pop()
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                y, x = r + down, c + right
                if not (0 <= y < height and 0 <= x < width) or outside[y, x]:
                    continue
                rim = y in (0, height - 1) or x in (0, width - 1)
                if rim or labels[row0 + y - 1, col0 + x - 1] != i + 1:
                    outside[y, x] = True
                    front.append((y, x))
        for r in range(row0, row1):
            for c in range(col0, col1):
                if not outside[r - row0 + 1, c - col0 + 1]:
                    labels[r, c] = i + 1
