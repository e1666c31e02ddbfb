"""Tiles of a slide one after the other, read ahead by threads."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.slides.reader import SlideReader

Pixels = npt.NDArray[np.uint8]

MAX_THREADS = 4
"""Readers at once; decoding is the limit, and the network shares the processor."""


def iterate_tiles(
    slide: SlideReader, tiles: pd.DataFrame, *, halo_px: int = 0, prefetch: int = 4
) -> Iterator[tuple[int, Pixels]]:
    """Yield the tiles of a table in its order, holding at most ``prefetch`` of them.

    Parameters
    ----------
    tiles
        Rows of a tile table (x_l0, y_l0, width_l0, tile_px).
    halo_px
        Pixels at the tiles' resolution to add on every side; white beyond the slide.
    prefetch
        Tiles read ahead; 0 reads each when it is asked for, without threads.

    Yields
    ------
    Position of the row in ``tiles``, and uint8 (tile_px + 2 * halo_px, the same, 3).

    Raises
    ------
    SlideError
        If the slide is damaged at a tile.
    """
    boxes = tiles[["x_l0", "y_l0", "width_l0", "tile_px"]].to_numpy(np.float64).tolist()
    if prefetch < 1:
        for position, box in enumerate(boxes):
            yield position, _read_tile(slide, box, halo_px)
        return
    waiting: deque[Future[Pixels]] = deque()
    with ThreadPoolExecutor(min(prefetch, MAX_THREADS), thread_name_prefix="tiles") as pool:
        try:
            for position in range(len(boxes)):
                while len(waiting) < prefetch and position + len(waiting) < len(boxes):
                    waiting.append(pool.submit(_read_tile, slide, boxes[position + len(waiting)], halo_px))
                yield position, waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _read_tile(slide: SlideReader, box: list[float], halo_px: int) -> Pixels:
    x_l0, y_l0, width_l0, tile_px = box[0], box[1], box[2], round(box[3])
    halo_l0 = halo_px * width_l0 / tile_px
    side_l0, side_px = width_l0 + 2 * halo_l0, tile_px + 2 * halo_px
    return slide.read_box(x_l0 - halo_l0, y_l0 - halo_l0, side_l0, side_l0, width_px=side_px, height_px=side_px)
