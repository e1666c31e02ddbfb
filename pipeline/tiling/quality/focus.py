"""Whether a tile is in focus: how much of its finest detail is left.

With m(k) the picture averaged over blocks of 2^k pixels, the detail of scale k is the
variance of m(k - 1) within the blocks of m(k), the Haar wavelet's energy (Mallat 1989).
Focus is the share of scale 1 in scales 1 and 2.  More stain, or more tissue in the tile,
multiplies both alike; blur takes the finer one first.
"""

import math

import numpy as np
import pandas as pd

from pipeline.arrays import Bools, Float32s, Float64s, Rgb
from pipeline.errors import OnBadTile
from pipeline.pictures import LUMA
from pipeline.slides.filling import filled_in, with_edge
from pipeline.slides.reader import SlideReader
from pipeline.slides.tiles_in_order import BadTile, iterate_tiles
from pipeline.tiling.grid.tile_rejection import drop_unreadable, undecided
from pipeline.tiling.params import TilingParams

NOISE_VARIANCE = 1.0
"""Grey levels squared that the camera and the rounding to whole levels leave in a picture without detail.

Without it, tiles of three collections blurred by 6 um pass as sharp by their noise."""

LEAST_STRUCTURE = 4.0
"""Variance in grey levels squared that a tile of tissue keeps between blocks of 4 pixels, even blurred by 8 um.

With less there is nothing to be in focus, as in mucus."""

FEWEST_PX = 16
"""Guard: a tile is read finer than asked for where it would have fewer pixels a side."""


def measure_focus(
    slide: SlideReader, tiles: pd.DataFrame, params: TilingParams, on_unreadable: BadTile | None = None
) -> Float64s:
    """Focus of each of ``tiles``, (n_tiles,), read at ``params.qc_focus_mpp`` or the slide's own if coarser.

    NaN where a tile shows nothing that could be sharp, or cannot be read.

    Raises
    ------
    UnreadableRegionError
        If a tile cannot be read and ``on_unreadable`` is None.
    """
    focus = np.full(len(tiles), np.nan)
    if tiles.empty:
        return focus
    side_um = float(tiles["width_l0"].iloc[0]) * slide.mpp
    focus_px = max(FEWEST_PX, round(side_um / max(params.qc_focus_mpp, slide.mpp)))
    coarser = tiles.assign(tile_px=focus_px, mpp=side_um / focus_px)
    for position, rgb in iterate_tiles(slide, coarser, on_unreadable=on_unreadable):
        focus[position] = focus_of(rgb, filled_in(rgb, side_um / focus_px))
    return focus


def focus_of(rgb: Rgb, filled: Bools | None = None) -> float:
    """Focus of one picture (h, w, 3) of about 1 um/px, 0 to 1; NaN where it shows nothing that could be sharp.

    Blocks in or beside what is ``filled`` in, (h, w), do not count: its edge is sharp whatever the focus.
    """
    luma = np.asarray(rgb @ np.array(LUMA, np.float32), np.float32)
    scanned = None if filled is None else ~with_edge(filled)
    finest, pairs, scanned = _detail(luma, scanned)
    coarser, fours, scanned = _detail(pairs, scanned)
    structure = fours if scanned is None else fours[scanned]
    if not structure.size or float(structure.var(dtype=np.float64)) < LEAST_STRUCTURE:
        return math.nan
    # Averaging four pixels leaves a quarter of the noise; 3/4 of it lies within blocks of four.
    signal = max(finest - 0.75 * NOISE_VARIANCE, 0.0)
    coarser_signal = max(coarser - 0.75 * NOISE_VARIANCE / 4, 0.0)
    return signal / (signal + coarser_signal) if signal > 0 else 0.0


def _detail(luma: Float32s, scanned: Bools | None) -> tuple[float, Float32s, Bools | None]:
    """Mean variance within blocks of 2 x 2 that are ``scanned`` wholly, the means of all, and which those are.

    An odd last row or column is left out.
    """
    rows, cols = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
    blocks = luma[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2)
    means = blocks.mean(axis=(1, 3), dtype=np.float32)
    squares = np.square(blocks - means[:, None, :, None])
    if scanned is None:
        return float(squares.mean(dtype=np.float64)), means, None
    whole = scanned[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2).all(axis=(1, 3))
    counted = squares.transpose(0, 2, 1, 3)[whole]
    return float(counted.mean(dtype=np.float64)) if counted.size else math.nan, means, whole


def with_focus(slide: SlideReader, tiles: pd.DataFrame, params: TilingParams, on_bad_tile: OnBadTile) -> pd.DataFrame:
    """``tiles`` with the focus of those not dropped so far, and without those that cannot be read for it."""
    if params.qc_min_focus == 0:
        return tiles
    positions = undecided(tiles).nonzero()[0]
    is_unreadable = np.zeros(len(tiles), np.bool_)

    def mark(position: int, _: Exception) -> None:
        is_unreadable[positions[position]] = True

    focus = tiles["qc_focus"].to_numpy(copy=True)
    focus[positions] = measure_focus(
        slide, tiles.iloc[positions], params, on_unreadable=None if on_bad_tile == "stop" else mark
    )
    return drop_unreadable(tiles.assign(qc_focus=focus), is_unreadable)
