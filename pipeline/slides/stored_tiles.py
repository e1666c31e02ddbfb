"""The stored tiles of TIFF images, decoded without a compositor."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, PLANARCONFIG

from pipeline.arrays import Int64s, Rgb
from pipeline.slides.source import blank
from pipeline.slides.tiff_samples import SampleLayout, Samples
from pipeline.slides.tile_cache import TileCache

CACHE_BYTES = 64 * 2**20
"""Decoded tiles kept for the next boxes: three rows of 256-px tiles on a slide 29,000 px wide."""

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
"""Markers SOI and EOI (ITU T.81)."""

JPEG_COLOUR = {
    PHOTOMETRIC.RGB: b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00",
    PHOTOMETRIC.YCBCR: b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01",
}
"""Adobe's APP14 segment, whose last byte states the colour space (ITU T.872, 6.5.3)."""

JPEG_APP0, JFIF = b"\xff\xe0", b"JFIF\x00\x01"
JFIF_AT = 6
"""Marker of a JFIF segment, which comes first, its identifier and major version, and their place (ITU T.871, 10.1)."""

MATRIX = 2
"""Axes of samples that are one to a pixel."""

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
        int64 (n_planes * n_tiles,), plane by plane, row by row; a tile of no bytes is missing.
    decode
        Samples (row, col, sample) of a tile of a plane from its bytes and its place in ``offsets``, at least the part
        within the image.
    n_planes
        Planes that hold a tile's samples: 1 where they are interleaved.
    rgb
        Colours of the samples of all planes; None where these are RGB.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: Int64s
    byte_counts: Int64s
    decode: Callable[[bytes, int], Samples]
    n_planes: int = 1
    rgb: Callable[[Samples], Rgb] | None = None

    @property
    def n_tiles(self) -> int:
        """Tiles of a plane."""
        return len(self.offsets) // self.n_planes

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

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        """Box of a level, in its pixels: uint8 (height, width, 3), white beyond the level.

        Raises
        ------
        LookupError
            If a tile of the box, or the level, is not stored.
        Exception
            What decoders raise on damaged data, see ``source.UNREADABLE``.
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

    def _decoded(self, stored: StoredLevel, number: int) -> Rgb:
        """The part of a tile that lies within its level."""
        places = range(number, len(stored.offsets), stored.n_tiles)
        planes = [stored.decode(self._content(stored, place), place) for place in places]
        row, col = divmod(number, math.ceil(stored.width / stored.tile_width))
        height = min(stored.tile_height, stored.height - row * stored.tile_height)
        width = min(stored.tile_width, stored.width - col * stored.tile_width)
        samples = [plane[:height, :width] for plane in planes]
        whole = samples[0] if stored.n_planes == 1 else np.concatenate(samples, axis=2)
        tile = np.ascontiguousarray(whole if stored.rgb is None else stored.rgb(whole))
        if tile.shape != (height, width, 3) or tile.dtype != np.uint8:
            raise ValueError(f"tile {number} is {tile.dtype} {tile.shape}, not uint8 {(height, width, 3)}")
        return tile

    def _content(self, stored: StoredLevel, place: int) -> bytes:
        """The bytes of a tile of a plane."""
        n_bytes = int(stored.byte_counts[place])
        if n_bytes == 0:
            raise LookupError(f"tile {place} is missing")
        file, first = self._file.fileno(), int(stored.offsets[place])
        # Asked before, since room is made for as many bytes as a damaged directory says.
        if first + n_bytes > os.fstat(file).st_size:
            raise EOFError(f"the file ends within tile {place}")
        return os.pread(file, n_bytes, first)


def check_layout(page: Any) -> None:
    """Refuse a tiled page whose samples are not RGB as ``decoder`` gives it.

    Raises
    ------
    NotDirectlyReadableError
        If there are not three interleaved 8-bit samples in upright order.
    """
    layout = (page.samplesperpixel, page.bitspersample, page.planarconfig, page.tags.valueof("Orientation", UPRIGHT))
    if layout != (3, 8, PLANARCONFIG.CONTIG, UPRIGHT) or page.dtype != np.uint8:
        raise NotDirectlyReadableError("its pixels are not three interleaved 8-bit samples in upright order")


def stored_level(page: Any) -> StoredLevel:
    """A tiled page of an open ``tifffile.TiffFile``.

    Raises
    ------
    NotDirectlyReadableError
        If its decoder, simplejpeg or imagecodecs, is not installed.
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


def stored_samples(pages: Sequence[Any], layout: SampleLayout) -> StoredLevel:
    """Tiled pages of an open ``tifffile.TiffFile`` whose samples are not RGB as ``stored_level`` takes it.

    Parameters
    ----------
    pages
        One page, or one for each plane of colour.

    Raises
    ------
    NotDirectlyReadableError
        If imagecodecs is not installed.
    """
    _installed("imagecodecs")
    page, n_tiles = pages[0], len(pages[0].dataoffsets)
    decode, tables = page.keyframe.decode, [each.jpegtables for each in pages]

    def samples(content: bytes, place: int) -> Samples:
        # Planes of one page are numbered on by its decoder, pages of their own are not.
        plane, number = divmod(place, n_tiles)
        found = np.asarray(decode(content, number, jpegtables=tables[plane])[0][0])
        return found[..., None] if found.ndim == MATRIX else found

    return StoredLevel(
        page.keyframe.imagewidth,
        page.keyframe.imagelength,
        page.keyframe.tilewidth,
        page.keyframe.tilelength,
        np.concatenate([np.asarray(each.dataoffsets, np.int64) for each in pages]),
        np.concatenate([np.asarray(each.databytecounts, np.int64) for each in pages]),
        samples,
        layout.n_samples if page.keyframe.planarconfig == PLANARCONFIG.SEPARATE else len(pages),
        layout.rgb,
    )


def _decoder(page: Any) -> Callable[[bytes, int], Rgb]:
    """What makes RGB of the bytes of a tile."""
    if page.compression == COMPRESSION.JPEG:
        return _jpeg_decoder(page)
    codecs = _installed("imagecodecs")
    if page.compression == COMPRESSION.APERIO_JP2000_RGB:
        shape = (page.tilelength, page.tilewidth, 3)
        return lambda content, _: _shaped(codecs.jpeg2k_decode(content), shape)
    decode = page.decode
    return lambda content, number: np.asarray(decode(content, number)[0][0])


def _jpeg_decoder(page: Any) -> Callable[[bytes, int], Rgb]:
    """RGB of a JPEG in the colour space that TIFF states, refused at libjpeg's first warning as OpenSlide refuses it.

    The header is read ahead, so that a damaged one claims no memory.
    """
    codec = _installed("simplejpeg")
    expected = (page.tilelength, page.tilewidth, page.photometric.name)
    is_rgb = page.photometric == PHOTOMETRIC.RGB
    head = JPEG_START + JPEG_COLOUR[page.photometric] + _table_segments(page.jpegtables)

    def decode(content: bytes, _: int) -> Rgb:
        jpeg = head + _segments(content, hide_jfif=is_rgb)
        height, width, colour, _subsampling = codec.decode_jpeg_header(jpeg)
        if (height, width, colour.upper()) != expected:
            raise ValueError(f"a stored tile is {(height, width, colour)}, expected {expected}")
        pixels: Rgb = codec.decode_jpeg(jpeg, colorspace="RGB", strict=True)
        return pixels

    return decode


def _installed(codec: str) -> ModuleType:
    try:
        return import_module(codec)
    except ImportError as error:
        raise NotDirectlyReadableError(f"{codec} cannot be imported ({error})") from error


def _table_segments(tables: bytes | None) -> bytes:
    """What stands between the start and the end of TIFF's JPEGTables."""
    if tables is None:
        return b""
    if not (tables.startswith(JPEG_START) and tables.endswith(JPEG_END)):
        raise NotDirectlyReadableError("its JPEG tables have no start or no end")
    return tables[len(JPEG_START) : -len(JPEG_END)]


def _segments(jpeg: bytes, *, hide_jfif: bool) -> bytes:
    """What follows the start of a JPEG; JFIF means YCbCr, against which Adobe's segment cannot prevail."""
    if not jpeg.startswith(JPEG_START):
        raise ValueError("a stored tile is no JPEG")
    if hide_jfif and jpeg.startswith(JPEG_APP0, len(JPEG_START)) and jpeg.startswith(JFIF, JFIF_AT):
        return jpeg[len(JPEG_START) : JFIF_AT] + bytes(len(JFIF)) + jpeg[JFIF_AT + len(JFIF) :]
    return jpeg[len(JPEG_START) :]


def _shaped(pixels: Rgb, expected: tuple[int, int, int]) -> Rgb:
    if pixels.shape != expected:
        raise ValueError(f"a stored tile is {pixels.shape}, expected {expected}")
    return pixels
