"""Tiles of a slide one after the other, read ahead by threads."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from pipeline.arrays import Rgb
from pipeline.errors import UnreadableRegionError
from pipeline.slides.reader import SlideReader

BadTile = Callable[[int, UnreadableRegionError], None]
"""Told the position of the row whose tile cannot be read, and why."""


def pass_over(position: int, error: UnreadableRegionError) -> None:
    """Leave a tile that cannot be read out, without a word: ``BadTile`` of who looks at it elsewhere."""


def iterate_tiles(
    slide: SlideReader,
    tiles: pd.DataFrame,
    *,
    halo_px: int = 0,
    prefetch: int = 4,
    threads: int = 2,
    on_unreadable: BadTile | None = None,
) -> Iterator[tuple[int, Rgb]]:
    """Yield the tiles of a table in its order, holding at most ``prefetch`` of them.

    Stored tiles are decoded once when the table is in reading order, as the grid's is.

    Parameters
    ----------
    tiles
        Rows of a tile table (x_l0, y_l0, width_l0, tile_px).
    halo_px
        Pixels at the tiles' resolution to add on every side; white beyond the slide.
    prefetch
        Tiles read ahead; 0 reads each when it is asked for, without threads.
    threads
        Tiles read at once, at most ``prefetch``.
    on_unreadable
        Called with the position and the error of a tile whose pixels cannot be read,
        which is then left out.  None raises.

    Yields
    ------
    Position of the row in ``tiles``, and uint8 (tile_px + 2 * halo_px, the same, 3).

    Raises
    ------
    UnreadableRegionError
        If the slide is damaged at a tile and ``on_unreadable`` is None.
    """
    boxes = tiles[["x_l0", "y_l0", "width_l0", "tile_px"]].to_numpy(np.float64).tolist()
    for position, read in enumerate(_read_ahead(slide, boxes, halo_px, prefetch, threads)):
        try:
            pixels = read()
        except UnreadableRegionError as error:
            if on_unreadable is None:
                raise
            on_unreadable(position, error)
        else:
            yield position, pixels


def _read_ahead(
    slide: SlideReader, boxes: list[list[float]], halo_px: int, prefetch: int, threads: int
) -> Iterator[Callable[[], Rgb]]:
    """What gives the pixels of each box in turn, or raises why it cannot."""
    if prefetch < 1:
        yield from (partial(_read_tile, slide, box, halo_px) for box in boxes)
        return
    waiting: deque[Future[Rgb]] = deque()
    pool = ThreadPoolExecutor(min(prefetch, threads), thread_name_prefix="tiles")
    try:
        for position in range(len(boxes)):
            while len(waiting) < prefetch and position + len(waiting) < len(boxes):
                waiting.append(pool.submit(_read_tile, slide, boxes[position + len(waiting)], halo_px))
            yield waiting.popleft().result
    finally:
        # Without waiting: what is left half-way may be collected in a thread of the pool, which cannot wait for itself.
        pool.shutdown(wait=False, cancel_futures=True)


def _read_tile(slide: SlideReader, box: list[float], halo_px: int) -> Rgb:
    x_l0, y_l0, width_l0, tile_px = box[0], box[1], box[2], round(box[3])
    halo_l0 = halo_px * width_l0 / tile_px
    side_l0, side_px = width_l0 + 2 * halo_l0, tile_px + 2 * halo_px
    return slide.read_box(x_l0 - halo_l0, y_l0 - halo_l0, side_l0, side_l0, width_px=side_px, height_px=side_px)
