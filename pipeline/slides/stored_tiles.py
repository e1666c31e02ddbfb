"""The stored tiles of TIFF images, decoded without a compositor."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tifffile import COMPRESSION, PLANARCONFIG

from pipeline.slides.source import Pixels, blank
from pipeline.slides.tile_cache import TileCache

CACHE_BYTES = 64 * 2**20
"""Decoded tiles kept for the next boxes: three rows of 256-px tiles on a slide 29,000 px wide."""

JPEG_END = b"\xff\xd9"
JPEG_BLOCK_PX = 8
JPEG_MID_GREY = 128
"""End marker of a JPEG, and what a block without coefficients decodes to (ITU T.81)."""

UPRIGHT = 1
"""TIFF's Orientation of rows from the top, columns from the left."""


class NotDirectlyReadableError(Exception):
    """A slide whose stored tiles are not decoded here; the message says why."""


@dataclass(frozen=True)
class StoredLevel:
    """Where the tiles of an image lie in the file, and how one becomes RGB.

    Attributes
    ----------
    width, height
        Size of the image in pixels.
    tile_width, tile_height
        Size of a stored tile in pixels; the last of a row or column reach beyond the image.
    offsets, byte_counts
        int64 (n_tiles,), row by row; a tile of no bytes is missing.
    decode
        RGB of a tile from its bytes and its number: uint8, at least the part within the image.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: npt.NDArray[np.int64]
    byte_counts: npt.NDArray[np.int64]
    decode: Callable[[bytes, int], Pixels]

    def tiles_of(self, left: int, top: int, right: int, bottom: int) -> Iterator[tuple[int, int, int]]:
        """Number, left and top of the tiles that meet a box within the image."""
        if left >= right or top >= bottom:
            return
        n_cols = math.ceil(self.width / self.tile_width)
        for row in range(top // self.tile_height, math.ceil(bottom / self.tile_height)):
            for col in range(left // self.tile_width, math.ceil(right / self.tile_width)):
                yield row * n_cols + col, col * self.tile_width, row * self.tile_height


class StoredTiles:
    """Boxes of tiled images of one file; decoded tiles are shared by threads, at most ``CACHE_BYTES``."""

    def __init__(self, path: Path, levels: Sequence[StoredLevel | None]) -> None:
        self.levels = tuple(levels)
        self.cache = TileCache(CACHE_BYTES)
        self._file = path.open("rb", buffering=0)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Box of a level, in its pixels: uint8 (height, width, 3), white beyond the level.

        Raises
        ------
        LookupError
            If a tile of the box, or the level, is not stored.
        Exception
            What decoders raise on damaged data, see ``image_source.UNREADABLE``.
        """
        stored = self.levels[level]
        if stored is None:
            raise LookupError(f"level {level} is not stored in tiles")
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, stored.width), min(y + height, stored.height)
        inside = (left, top, right, bottom) == (x, y, x + width, y + height)
        box = np.empty((height, width, 3), np.uint8) if inside else blank(width, height)
        for number, tile_left, tile_top in stored.tiles_of(left, top, right, bottom):
            tile = self.cache.get((level, number), partial(self._decoded, stored, number))
            rows = slice(max(top, tile_top), min(bottom, tile_top + tile.shape[0]))
            cols = slice(max(left, tile_left), min(right, tile_left + tile.shape[1]))
            box[rows.start - y : rows.stop - y, cols.start - x : cols.stop - x] = tile[
                rows.start - tile_top : rows.stop - tile_top, cols.start - tile_left : cols.stop - tile_left
            ]
        return box

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _decoded(self, stored: StoredLevel, number: int) -> Pixels:
        """The part of a tile that lies within its level."""
        n_bytes = int(stored.byte_counts[number])
        if n_bytes == 0:
            raise LookupError(f"tile {number} is missing")
        content = os.pread(self._file.fileno(), n_bytes, int(stored.offsets[number]))
        if len(content) < n_bytes:
            raise EOFError(f"the file ends within tile {number}")
        row, col = divmod(number, math.ceil(stored.width / stored.tile_width))
        height = min(stored.tile_height, stored.height - row * stored.tile_height)
        width = min(stored.tile_width, stored.width - col * stored.tile_width)
        tile = np.ascontiguousarray(stored.decode(content, number)[:height, :width])
        if tile.shape != (height, width, 3) or tile.dtype != np.uint8:
            raise ValueError(f"tile {number} is {tile.dtype} {tile.shape}, not uint8 {(height, width, 3)}")
        return tile


def check_layout(page: Any) -> None:
    """Refuse a tiled page whose samples are not RGB as ``decoder`` gives it.

    Raises
    ------
    NotDirectlyReadableError
        If there are not three interleaved 8-bit samples in upright order.
    """
    layout = (page.samplesperpixel, page.bitspersample, page.planarconfig, page.tags.valueof("Orientation", UPRIGHT))
    if layout != (3, 8, PLANARCONFIG.CONTIG, UPRIGHT):
        raise NotDirectlyReadableError("its pixels are not three interleaved 8-bit samples in upright order")


def stored_level(page: Any) -> StoredLevel:
    """A tiled page of an open ``tifffile.TiffFile``.

    Raises
    ------
    NotDirectlyReadableError
        If imagecodecs is not installed.
    """
    return StoredLevel(
        page.imagewidth,
        page.imagelength,
        page.tilewidth,
        page.tilelength,
        np.asarray(page.dataoffsets, np.int64),
        np.asarray(page.databytecounts, np.int64),
        _decoder(page),
    )


def _decoder(page: Any) -> Callable[[bytes, int], Pixels]:
    """What makes RGB of the bytes of a tile.

    A JPEG is in the colour space that TIFF states, whatever its own markers say.
    """
    try:
        codecs = import_module("imagecodecs")
    except ImportError as error:
        raise NotDirectlyReadableError(f"imagecodecs cannot be imported ({error})") from error
    shape = (page.tilelength, page.tilewidth, 3)
    if page.compression == COMPRESSION.JPEG:
        settings = {"tables": page.jpegtables, "colorspace": page.photometric.name, "outcolorspace": "RGB"}
        jpeg = partial(codecs.jpeg8_decode, **settings)
        return lambda content, _: _complete(_shaped(jpeg(content), shape), content)
    if page.compression == COMPRESSION.APERIO_JP2000_RGB:
        return lambda content, _: _shaped(codecs.jpeg2k_decode(content), shape)
    decode = page.decode
    return lambda content, number: np.asarray(decode(content, number)[0][0])


def _shaped(pixels: Pixels, expected: tuple[int, int, int]) -> Pixels:
    if pixels.shape != expected:
        raise ValueError(f"a stored tile is {pixels.shape}, expected {expected}")
    return pixels


def _complete(pixels: Pixels, jpeg: bytes) -> Pixels:
    """A decoded JPEG, unless its data ran out.

    OpenSlide takes libjpeg's warnings for errors, imagecodecs does not pass them on; but
    libjpeg leaves mid-grey what it has no data for.  Data that run out within the last
    block of 16 x 16 px, and data damaged without running out, go unnoticed.
    """
    ended = jpeg.endswith(JPEG_END) or JPEG_END in jpeg
    if not ended or (pixels.item(-1) == JPEG_MID_GREY and _is_mid_grey(pixels[-JPEG_BLOCK_PX:, -JPEG_BLOCK_PX:])):
        raise ValueError("the data of a stored tile may end early")
    return pixels


def _is_mid_grey(block: Pixels) -> bool:
    return bool((block == JPEG_MID_GREY).all())
