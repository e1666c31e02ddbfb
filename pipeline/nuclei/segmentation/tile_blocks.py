"""Neighbouring tiles that are read and segmented together, so that their halos are not computed twice.

Frame: ``_l0`` as in ``pipeline.units``; a lattice counts tiles (column, row) from the least corner.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from pipeline.arrays import Int64s
from pipeline.artefacts.tiles import ROUNDING_L0


@dataclass(frozen=True)
class Block:
    """A square that holds one or several tiles.

    Attributes
    ----------
    rows
        Positions of its tiles in the tile table, ascending.
    x_l0, y_l0, width_l0
        Top-left corner and side, level-0 pixels.
    side_px
        Side in pixels at the tiles' resolution.
    """

    rows: tuple[int, ...]
    x_l0: float
    y_l0: float
    width_l0: float
    side_px: int


def tile_blocks(tiles: pd.DataFrame, *, block_px: int, halo_px: int) -> list[Block]:
    """Blocks that hold each tile once, the largest first, those of one size in the order of their first tiles.

    Sides are 1, 2, 4, ... tiles on the lattice of the tiles.  A block stands for its four quarters
    where it has fewer pixels than they have with their halos; a tile off the lattice stands alone.

    Parameters
    ----------
    tiles
        Rows of a tile table (x_l0, y_l0, width_l0, tile_px), of one ``width_l0`` and ``tile_px``.
    block_px
        Largest side of a block of several tiles, pixels at the tiles' resolution.
    halo_px
        Rim with which a block is read.
    """
    if tiles.empty:
        return []
    width_l0, tile_px = float(tiles["width_l0"].iloc[0]), int(tiles["tile_px"].iloc[0])
    corners = tiles[["x_l0", "y_l0"]].to_numpy(np.float64)
    origin = corners.min(axis=0)
    place = np.rint((corners - origin) / width_l0).astype(np.int64)
    on_lattice = (np.abs(origin + place * width_l0 - corners) <= ROUNDING_L0).all(axis=1)
    level = np.zeros(len(tiles), dtype=np.int64)
    n_levels = max(1, block_px // tile_px).bit_length()
    level[on_lattice] = _levels(place[on_lattice], n_levels, tile_px, halo_px)
    starts = np.where(level[:, None] > 0, origin + (place >> level[:, None] << level[:, None]) * width_l0, corners)
    squares, of_square = np.unique(np.column_stack([level, starts]), axis=0, return_inverse=True)
    members = np.split(np.argsort(of_square, kind="stable"), np.cumsum(np.bincount(of_square))[:-1])
    blocks = [
        Block(tuple(rows.tolist()), x, y, width_l0 * 2 ** int(power), tile_px * 2 ** int(power))
        for (power, x, y), rows in zip(squares.tolist(), members, strict=True)
    ]
    return sorted(blocks, key=lambda block: (-block.side_px, block.rows))


def batches(blocks: Sequence[Block], at_once: Callable[[int], int]) -> Iterator[list[Block]]:
    """Blocks of one side at a time, in order, up to as many as ``at_once`` says for that side in pixels."""
    for side_px, alike in groupby(blocks, key=lambda block: block.side_px):
        of_one_side, size = list(alike), at_once(side_px)
        yield from (of_one_side[first : first + size] for first in range(0, len(of_one_side), size))


def _levels(place: Int64s, n_levels: int, tile_px: int, halo_px: int) -> Int64s:
    """Logarithm to base 2 of the side, in tiles, of the block of each tile at ``place`` (n, 2)."""
    level = np.zeros(len(place), dtype=np.int64)
    cost_px = np.full(len(place), float((tile_px + 2 * halo_px) ** 2))
    for higher in range(1, n_levels):
        _, block = np.unique(place >> higher, axis=0, return_inverse=True)
        apart_px = np.bincount(block, weights=cost_px)[block]
        whole_px = (tile_px * 2**higher + 2 * halo_px) ** 2
        joined = whole_px < apart_px
        level[joined] = higher
        cost_px[joined] = (whole_px / np.bincount(block)[block])[joined]
    return level
