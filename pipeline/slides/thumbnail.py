"""A picture of a whole slide, read in blocks."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.arrays import Rgb
from pipeline.errors import UnreadableRegionError
from pipeline.slides.source import Box, blank

if TYPE_CHECKING:
    from pipeline.slides.reader import SlideReader

BadBox = Callable[[Box], None]
"""Told the level-0 box (x, y, width, height) that could not be read."""

BLOCK_PX = 2048
"""Side of the largest box of source pixels read at once."""

SMALLEST_BLOCK_PX = 256
"""Side in source pixels down to which a block that cannot be read is halved: a common size of stored tiles."""


class Thumbnail:
    """A picture of a slide being filled; see ``SlideReader.thumbnail``.

    Frame: pixel edge (col, row) lies at level-0 (col * step_x, row * step_y).
    """

    def __init__(self, slide: "SlideReader", width_px: int, height_px: int, on_unreadable: BadBox | None) -> None:
        self._slide = slide
        self._rgb = blank(width_px, height_px)
        self._on_unreadable = on_unreadable
        self._step_x, self._step_y = slide.width_l0 / width_px, slide.height_l0 / height_px
        level = slide.levels[slide.best_level(min(self._step_x, self._step_y))]
        self._source_px = max(self._step_x, self._step_y) / level.downsample

    def filled(self) -> Rgb:
        """The picture, uint8 (height_px, width_px, 3), after reading all blocks that meet the slide's bounds."""
        block = max(1, int(BLOCK_PX / self._source_px))
        x, y, width, height = self._slide.bounds_l0
        height_px, width_px = self._rgb.shape[:2]
        right = min(math.ceil((x + width) / self._step_x), width_px)
        bottom = min(math.ceil((y + height) / self._step_y), height_px)
        for top in range(max(math.floor(y / self._step_y), 0), bottom, block):
            for left in range(max(math.floor(x / self._step_x), 0), right, block):
                self._fill(left, top, min(block, right - left), min(block, bottom - top))
        return self._rgb

    def _fill(self, left: int, top: int, cols: int, rows: int) -> None:
        x, y, width, height = left * self._step_x, top * self._step_y, cols * self._step_x, rows * self._step_y
        try:
            pixels = self._slide.read_box(x, y, width, height, width_px=cols, height_px=rows)
        except UnreadableRegionError:
            if self._on_unreadable is None:
                raise
            if max(cols, rows) == 1 or max(cols, rows) * self._source_px <= SMALLEST_BLOCK_PX:
                self._on_unreadable((round(x), round(y), round(width), round(height)))
            else:
                for part in _halves(left, top, cols, rows):
                    self._fill(*part)
        else:
            self._rgb[top : top + rows, left : left + cols] = pixels


def _halves(left: int, top: int, cols: int, rows: int) -> tuple[Box, Box]:
    """A block cut across its longer side."""
    if cols >= rows:
        half = cols // 2
        return (left, top, half, rows), (left + half, top, cols - half, rows)
    half = rows // 2
    return (left, top, cols, half), (left, top + half, cols, rows - half)
