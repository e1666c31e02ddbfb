"""Pixels that no scanner measured and a program filled in: the one definition that all stages share.

Filling is a plain square of ``LEAST_UM`` or more, and what of its colour hangs together with it:

=======  ==========================================  ====================================
filling  a plain square is                           what is of its colour
=======  ==========================================  ====================================
black    grey and darker than ``BLACK_BELOW``, all   up to ``NOISE`` lighter than that
         channels within ``NOISE``
white    white throughout                            white
grey     of one grey darker than glass               up to ``NOISE`` from that grey
=======  ==========================================  ====================================

Glass is none of them: it is light, and compression makes it plain but not white.  A plain colour is none either, but
ink.  White are also the pixels that a slide does not have: transparent ones, those beyond its edge, and gaps that a
scanner left.

Frame: (row, col).
"""

import math

import numpy as np
from scipy import ndimage

from pipeline.arrays import Bools, Rgb

LEAST_UM = 6.0
"""Side of the least plain square: 12 px at 0.5 um/px, larger than JPEG's blocks of 8, which may be plain in tissue.
None of 442 H&E images of eight collections holds one, nor CMU-1-Small-Region; glass of the frozen slide is white."""

LEAST_PX = 4
"""And in pixels, of coarse pictures in which each is the mean of many, so that tissue is plain nowhere."""

EDGE_PX = 3
"""The reach of Lanczos's filter."""

BLACK_BELOW = 35
"""Grey levels; where red, green and blue are all below over a square, nothing was scanned: stain lets more through."""

WHITE = 255

NOISE = 12
"""Grey levels that compression and resampling add at the edge of a filling."""

GLASS_FROM = 175
"""The largest channel of glass, however tinted, is at least this; so is that of pale tissue."""

GREY_CHROMA = 12
"""Largest minus smallest channel up to which a colour is a grey."""

MOST_GREYS = 8
"""Guard: greys of filling in one picture; a drawing has more."""


def filled_in(rgb: Rgb, mpp: float) -> Bools | None:
    """Where nothing was scanned, (h, w) of ``rgb`` (h, w, 3) of ``mpp`` um/px; None where everything was."""
    least_px = max(LEAST_PX, math.ceil(LEAST_UM / mpp))
    if not _may_be_filled(rgb, least_px):
        return None
    filled = _black(rgb, least_px) | _white(rgb, least_px)
    for grey in _plain_greys(rgb, least_px):
        filled |= _grey(rgb, grey, least_px)
    return filled if filled.any() else None


def with_white_filling(rgb: Rgb, filled: Bools | None) -> Rgb:
    """``rgb`` (h, w, 3) with what is ``filled`` in made white, as beyond a slide's edge; itself where nothing is."""
    if filled is None:
        return rgb
    shown = rgb.copy()
    shown[filled] = WHITE
    return shown


def with_edge(filled: Bools, edge_px: int = EDGE_PX) -> Bools:
    """Pixels (h, w) that are ``filled`` in, and those beside them, into which resampling carries their edge."""
    return np.asarray(ndimage.binary_dilation(filled, np.ones((3, 3)), iterations=edge_px), np.bool_)


def _may_be_filled(rgb: Rgb, least_px: int) -> bool:
    """Whether pixels half a square apart leave room for a filling, so that most pictures cost next to nothing."""
    step = least_px // 2
    lattice = np.ascontiguousarray(rgb[::step, ::step])
    least, most = _least(lattice), _most(lattice)
    dark = (most < BLACK_BELOW) & (most - least <= NOISE)
    plain = _like_next(lattice) & ((least == WHITE) | (most < GLASS_FROM) & (most - least <= GREY_CHROMA))
    corners = dark[1:, 1:] & dark[1:, :-1] & dark[:-1, 1:] & dark[:-1, :-1]
    return bool(corners.any() or plain[:-1, :-1].any())


def _least(rgb: Rgb) -> Rgb:
    """The smallest channel of each pixel; several times as fast as ``min`` over an axis of three."""
    return np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _most(rgb: Rgb) -> Rgb:
    """The largest channel of each pixel."""
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _all_alike(alike: Bools) -> Bools:
    """Whether all three channels of each pixel are alike."""
    return np.asarray(alike[..., 0] & alike[..., 1] & alike[..., 2], np.bool_)


def _like_next(rgb: Rgb) -> Bools:
    """Whether each pixel has the colour of those to its right and below, where there are any."""
    like = np.ones(rgb.shape[:2], np.bool_)
    like[:, :-1] &= _all_alike(rgb[:, 1:] == rgb[:, :-1])
    like[:-1] &= _all_alike(rgb[1:] == rgb[:-1])
    return like


def _squares(mask: Bools, side_px: int) -> Bools:
    """What squares inside ``mask`` cover: its opening with a square."""
    opened = mask
    for axis in (0, 1):
        opened = _runs(opened, side_px, axis, starts=True)
    for axis in (0, 1):
        opened = _runs(opened, side_px, axis, starts=False)
    return opened


def _runs(mask: Bools, length_px: int, axis: int, *, starts: bool) -> Bools:
    """Where runs of ``length_px`` true pixels start along ``axis``, or what runs that start at true pixels cover.

    Each shift doubles the length, which makes four of it for runs of 12 pixels.
    """
    run = mask.copy() if axis == 0 else mask.T.copy()
    done = 1
    while done < length_px:
        shift = min(done, length_px - done)
        if starts:
            run[:-shift] &= run[shift:].copy()
            run[-shift:] = False
        else:
            run[shift:] |= run[:-shift].copy()
        done += shift
    return run if axis == 0 else run.T


def _around(seeds: Bools, alike: Bools) -> Bools:
    """The pieces of ``alike`` that hold one of ``seeds``; 4-connected."""
    if not seeds.any():
        return seeds
    pieces, n_pieces = ndimage.label(alike)
    chosen = np.zeros(n_pieces + 1, np.bool_)
    chosen[pieces[seeds]] = True
    chosen[0] = False
    return np.asarray(chosen[pieces], np.bool_)


def _black(rgb: Rgb, least_px: int) -> Bools:
    least, most = _least(rgb), _most(rgb)
    black = np.zeros(rgb.shape[:2], np.bool_)
    for low in range(0, BLACK_BELOW - NOISE, NOISE // 2):
        dark = (least >= low) & (most <= low + NOISE)
        if dark.any():
            black |= _around(_squares(dark, least_px), most < min(BLACK_BELOW, low + 2 * NOISE))
    return black


def _white(rgb: Rgb, least_px: int) -> Bools:
    white = _least(rgb) == WHITE
    return _around(_squares(white, least_px), white)


def _plain_greys(rgb: Rgb, least_px: int) -> Rgb:
    """Greys (n, 3) that fill plain squares, the most frequent first."""
    least, most = _least(rgb), _most(rgb)
    is_grey = (most < GLASS_FROM) & (least >= BLACK_BELOW) & (most - least <= GREY_CHROMA)
    if not is_grey.any():
        return np.empty((0, 3), np.uint8)
    plain = _squares(_like_next(rgb) & is_grey, least_px - 1)
    step = least_px // 2
    greys, counts = np.unique(rgb[::step, ::step][plain[::step, ::step]], axis=0, return_counts=True)
    return np.asarray(greys[np.argsort(-counts, kind="stable")][:MOST_GREYS], np.uint8)


def _grey(rgb: Rgb, grey: Rgb, least_px: int) -> Bools:
    alike = _all_alike(np.abs(rgb.astype(np.int16) - grey) <= NOISE)
    return _around(_squares(_all_alike(rgb == grey), least_px), alike)
