"""A slide as tiles of a deep zoom, as OpenSeadragon asks for them.

Level ``n_levels - 1`` is level 0 of the slide, and each level below halves it; pixel edge x of level k
lies at level-0 ``x * 2 ** (n_levels - 1 - k)``.
"""

import io
import math
from functools import cached_property

import numpy as np
from PIL import Image

from pipeline.arrays import Rgb
from pipeline.slides.reader import SlideReader

TILE_PX = 512
JPEG_QUALITY = 82

MOST_SOURCE_PIXELS = 24_000_000
"""Pixels decoded for one tile; where a slide stores no level coarse enough, coarse tiles are cut from a picture of the
whole slide, which is made once."""

WHOLE_PX = 4096
"""Longer side of that picture."""


class DeepZoom:
    """Tiles of an open slide.

    Attributes
    ----------
    n_levels
        Levels, the last one at the slide's full resolution.
    """

    def __init__(self, slide: SlideReader) -> None:
        self.slide = slide
        self.n_levels = math.ceil(math.log2(max(slide.width_l0, slide.height_l0))) + 1

    def tile(self, level: int, col: int, row: int) -> bytes:
        """JPEG of a tile.

        Raises
        ------
        IndexError
            If the level has no such tile.
        UnreadableRegionError
            If the slide is damaged there.
        """
        if not 0 <= level < self.n_levels:
            raise IndexError(level)
        scale = 2 ** (self.n_levels - 1 - level)
        width, height = (math.ceil(side / scale) for side in (self.slide.width_l0, self.slide.height_l0))
        left, top = col * TILE_PX, row * TILE_PX
        if not (0 <= left < width and 0 <= top < height):
            raise IndexError((col, row))
        return _jpeg(self._pixels(left, top, min(TILE_PX, width - left), min(TILE_PX, height - top), scale))

    def patch(self, x_l0: float, y_l0: float, side_l0: float, side_px: int) -> bytes:
        """JPEG of a square.

        Raises
        ------
        UnreadableRegionError
            If the slide is damaged there.
        """
        return _jpeg(self.slide.read_box(x_l0, y_l0, side_l0, side_l0, width_px=side_px, height_px=side_px))

    def _pixels(self, left: int, top: int, width: int, height: int, scale: int) -> Rgb:
        downsample = self.slide.levels[self.slide.best_level(scale)].downsample
        if width * height * (scale / downsample) ** 2 <= MOST_SOURCE_PIXELS:
            box = (left * scale, top * scale, width * scale, height * scale)
            return self.slide.read_box(*box, width_px=width, height_px=height)
        shrink_x, shrink_y = self._whole.width / self.slide.width_l0, self._whole.height / self.slide.height_l0
        corners = [left * scale * shrink_x, top * scale * shrink_y]
        corners += [corners[0] + width * scale * shrink_x, corners[1] + height * scale * shrink_y]
        return np.asarray(
            self._whole.transform((width, height), Image.Transform.EXTENT, corners, Image.Resampling.BILINEAR)
        )

    @cached_property
    def _whole(self) -> Image.Image:
        longer = max(self.slide.width_l0, self.slide.height_l0)
        return Image.fromarray(self.slide.thumbnail(self.slide.mpp * max(longer / WHOLE_PX, 1.0)))


def _jpeg(pixels: Rgb) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
