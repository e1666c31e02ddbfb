"""Whether a small image shows the slide: its colours compared with those of a finer level.

Frame: pixels of the small image; pixel edge ``x`` lies at ``x * step`` of the finer level.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Float64s, Int64s, Rgb
from pipeline.slides.source import UnreadablePixelsError

GRID = 24
"""Places along a side at which colours are compared; twice as many of an image of one colour."""

LEAST_PX, PATCH_PX = 8, 16
"""Sides of the least and of the usual patch whose mean colour is taken, pixels of the small image."""

SAMPLED_PX = 32
"""Rows or columns of a patch from which its mean colour is taken, at least, where it has more."""

N_STRIKING, N_SPREAD = 24, 24
"""Patches compared: those that depart most from the image's usual colour, and others spread evenly."""

DEPARTS = 16.0
"""Distance in grey levels from the usual colour, in any channel, from which a patch can tell two pictures apart."""

SAME = 16.0
"""Mean distance of the channels of mean colours up to which two images show the same; coarse JPEG and nearest-neighbour
sampling of a slide move it by up to 14 in patches of ``LEAST_PX``."""


HELD_PX = 2**20
"""Pixels of the small image up to which it is read at once instead of patch by patch."""

MOST_PX = 2**25
"""Pixels of the finer level up to which all of it is compared with an image of one colour; that takes a second."""


@dataclass(frozen=True)
class Picture:
    """An image that boxes (x, y, width, height) are read from, in its own pixels.

    Attributes
    ----------
    held
        All of it, uint8 (height, width, 3), where it was read at once.
    """

    read: Callable[[int, int, int, int], Rgb]
    width: int
    height: int
    held: Rgb | None = None


def difference(small: Picture, finer: Picture, step: float) -> float | None:
    """Median distance in grey levels of the colours of two images, where either shows most.

    An image of one colour is compared at every place, and in whole where that is quick, because what it lacks may be
    small.

    Parameters
    ----------
    step
        Pixels of ``finer`` per pixel of ``small``.

    Returns
    -------
    None when both are blank, or no patch can be read.
    """
    small = _held(small)
    boxes = _patches(small, GRID, PATCH_PX)
    colours = _mean_colours(small, boxes)
    if np.isnan(colours).all():
        return None
    usual = np.nanmedian(colours, axis=0)
    departure = np.nan_to_num(_distance(colours, usual))
    if departure.max() >= DEPARTS:
        chosen = _chosen(departure)
        boxes, colours = boxes[chosen], colours[chosen]
    elif finer.width * finer.height <= MOST_PX:
        boxes = _patches(small, 2 * GRID, max(small.width, small.height))
        colours = _mean_colours(small, boxes)
    finer_colours = _mean_colours(finer, _inside(boxes * step, finer))
    departure = np.nan_to_num(np.fmax(_distance(colours, usual), _distance(finer_colours, usual)))
    tells = departure >= max(DEPARTS, departure.max() / 2)
    apart = np.abs(colours - finer_colours).mean(axis=1)[tells]
    apart = apart[~np.isnan(apart)]
    return float(np.median(apart)) if apart.size else None


def _held(picture: Picture) -> Picture:
    """The picture in memory where it is small and whole."""
    if picture.width * picture.height > HELD_PX:
        return picture
    try:
        rgb = picture.read(0, 0, picture.width, picture.height)
    except UnreadablePixelsError:
        return picture
    return replace(picture, read=lambda x, y, width, height: rgb[y : y + height, x : x + width], held=rgb)


def _patches(picture: Picture, grid: int, side_px: int) -> Float64s:
    """Patches of at most ``side_px`` in the middle of ``grid`` places a side: (n, 4), left, top, right, bottom."""
    least_px = LEAST_PX * GRID // grid
    lefts, rights = _spans(picture.width, min(max(picture.width // least_px, 1), grid), side_px)
    tops, bottoms = _spans(picture.height, min(max(picture.height // least_px, 1), grid), side_px)
    left, top = np.meshgrid(lefts, tops)
    right, bottom = np.meshgrid(rights, bottoms)
    patches: Float64s = np.stack([left, top, right, bottom], axis=-1).reshape(-1, 4)
    return patches


def _spans(length: int, n_places: int, side_px: int) -> tuple[Float64s, Float64s]:
    edges = np.linspace(0, length, n_places + 1)
    spare = np.maximum(np.diff(edges) - side_px, 0) / 2
    return np.floor(edges[:-1] + spare), np.floor(edges[1:] - spare)


def _chosen(departure: Float64s) -> Int64s:
    striking = np.argsort(-departure, kind="stable")[:N_STRIKING]
    spread = np.linspace(0, len(departure) - 1, N_SPREAD).astype(np.int64)
    chosen: Int64s = np.unique(np.concatenate([striking, spread]))
    return chosen


def _inside(boxes: Float64s, picture: Picture) -> Float64s:
    """Boxes cut at the borders, at least a pixel wide and high."""
    ends = np.array([picture.width, picture.height])
    corners = np.clip(np.rint(boxes[:, :2]), 0, ends - 1)
    cut: Float64s = np.hstack([corners, np.clip(np.rint(boxes[:, 2:]), corners + 1, ends)])
    return cut


def _mean_colours(picture: Picture, boxes: Float64s) -> Float64s:
    """(n, 3), NaN where the file is damaged."""
    if picture.held is not None and ((boxes[:, 2:] - boxes[:, :2]).min(axis=1) < 2 * SAMPLED_PX).all():
        return _means_in(picture.held, boxes.astype(np.int64))
    colours = np.full((len(boxes), 3), np.nan)
    for row, (left, top, right, bottom) in enumerate(boxes.astype(np.int64).tolist()):
        try:
            box = picture.read(left, top, right - left, bottom - top)
        except UnreadablePixelsError:
            continue
        skip = max(1, min(box.shape[:2]) // SAMPLED_PX)
        colours[row] = box[::skip, ::skip].mean(axis=(0, 1))
    return colours


def _means_in(rgb: Rgb, boxes: Int64s) -> Float64s:
    """Mean colours (n, 3) of boxes (left, top, right, bottom), by sums over all that lies above and left of a pixel."""
    sums = np.zeros((rgb.shape[0] + 1, rgb.shape[1] + 1, 3), np.int64)
    sums[1:, 1:] = rgb.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    left, top, right, bottom = boxes.T
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    means: Float64s = total / ((right - left) * (bottom - top))[:, None]
    return means


def _distance(one: Float64s, other: Float64s) -> Float64s:
    distance: Float64s = np.abs(one - other).max(axis=1)
    return distance
