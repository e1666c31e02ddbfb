"""From a network's flows to nuclei (Stringer et al. 2021), compiled, without torch.

Pixels follow the flows; pixels that end at one place are one nucleus; a nucleus whose own
flows differ from the network's is dropped.  The steps and constants are those of
``cellpose.dynamics`` 3.1 (BSD-3-Clause, Stringer & Pachitariu), whose nuclei these are.

Frame: network pixels, arrays (row, col); flows are (2, h, w), along rows and along columns.
"""

from typing import Any

import cv2
import numpy as np

from pipeline.arrays import Float32s, Int32s
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.bounding_boxes import bounding_boxes
from pipeline.nuclei.labels.renumbering import renumbered
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR, flow_errors

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

PIXELS_AT_ONCE = 64
"""Pixels followed together, so that their steps overlap in the processor."""


def follow_flows(output: Float32s, *, steps: int, cellprob_threshold: float) -> tuple[Int32s, Int32s]:
    """Pixels inside nuclei and where they end, cut to whole pixels: two arrays (k, 2) of rows and columns.

    Parameters
    ----------
    output
        (3, h, w): flows, ``FLOW_FACTOR`` long where the network is sure, and the logit of
        belonging to a nucleus.
    steps
        How often every pixel is moved.
    cellprob_threshold
        Pixels above this logit belong to nuclei.
    """
    inside = output[2] > cellprob_threshold
    field = np.moveaxis(output[:2] * inside, 0, -1) / np.float32(FLOW_FACTOR)
    pixels = np.argwhere(inside).astype(np.int32)
    places = pixels.astype(np.float32)
    _follow(np.ascontiguousarray(field, dtype=np.float32), places, steps)
    return pixels, places.astype(np.int32)


def labels_from_ends(pixels: Int32s, ends: Int32s, flows: Float32s, *, flow_threshold: float) -> Labels:
    """Nuclei (h, w), numbered 1 to n by their first pixel, 0 = background.

    Parameters
    ----------
    pixels, ends
        See ``follow_flows``.
    flows
        The network's (2, h, w).
    flow_threshold
        A nucleus is dropped if the mean square difference between its flows and the
        network's is larger; 0 keeps all.
    """
    height, width = flows.shape[1:]
    labels = np.zeros((height, width), dtype=np.int32)
    labels[pixels[:, 0], pixels[:, 1]] = _seed_of_ends(ends, height, width)
    areas = np.bincount(labels.ravel())
    labels = renumbered(labels, areas <= MAX_NUCLEUS_FRACTION * labels.size)
    n_nuclei = int(labels.max(initial=0))
    if n_nuclei and flow_threshold > 0:
        errors = flow_errors(labels, n_nuclei, flows)
        labels = renumbered(labels, np.concatenate([[False], errors <= flow_threshold]))
    return without_holes(labels)


def without_holes(labels: Labels) -> Labels:
    """Nuclei (h, w) with whatever they enclose, numbered 1 to n by their first pixel; ``labels`` is filled in place.

    Parameters
    ----------
    labels
        Nuclei 1 to n, each of which must occur.
    """
    n_nuclei = int(labels.max(initial=0))
    _fill_holes(labels, bounding_boxes(labels, n_nuclei))
    return renumbered(labels, np.ones(n_nuclei + 1, dtype=bool))


def _seed_of_ends(ends: Int32s, height: int, width: int) -> Labels:
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
    for start in range(0, len(places), PIXELS_AT_ONCE):
        stop = min(start + PIXELS_AT_ONCE, len(places))
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
