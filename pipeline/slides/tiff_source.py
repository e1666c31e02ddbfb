"""Tiled TIFFs whose stored tiles are decoded directly: OpenSlide's pixels at several times its speed.

OpenSlide draws every stored tile through a compositor; here the decoded tile is copied.
Format, levels and properties are still OpenSlide's, and so is every box whose pixels it
would interpolate or fill in.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tifffile
from tifffile import COMPRESSION, PHOTOMETRIC

from pipeline.arrays import Rgb
from pipeline.logs import get_logger
from pipeline.slides.openslide_source import OpenSlideSource
from pipeline.slides.source import UNREADABLE, PixelReader, white_beyond
from pipeline.slides.stored_tiles import (
    NotDirectlyReadableError,
    StoredLevel,
    StoredTiles,
    check_layout,
    stored_level,
)

log = get_logger("slides")

VENDORS = ("aperio", "generic-tiff")

DIRECT = frozenset(
    (vendor, compression, photometric)
    for vendor in VENDORS
    for compression, photometric in (
        (COMPRESSION.JPEG, PHOTOMETRIC.YCBCR),
        (COMPRESSION.JPEG, PHOTOMETRIC.RGB),
        (COMPRESSION.NONE, PHOTOMETRIC.RGB),
        (COMPRESSION.LZW, PHOTOMETRIC.RGB),
        (COMPRESSION.ADOBE_DEFLATE, PHOTOMETRIC.RGB),
        (COMPRESSION.DEFLATE, PHOTOMETRIC.RGB),
        (COMPRESSION.ZSTD, PHOTOMETRIC.RGB),
    )
) | {("aperio", COMPRESSION.APERIO_JP2000_RGB, PHOTOMETRIC.RGB)}
"""Vendor, compression and photometric interpretation whose pixels tests prove to be OpenSlide's."""

ALIGNED_PX = 1e-6
"""Guard: distance from a whole pixel of a level below which OpenSlide does not interpolate."""


class TiffSource:
    """A tiled TIFF; see ``PixelSource``.

    Parameters
    ----------
    path
        The file.
    slide
        The same file in OpenSlide; closed with this source.

    Raises
    ------
    NotDirectlyReadableError
        If level 0 is not of a kind in ``DIRECT``, or its decoder, simplejpeg or imagecodecs, is not installed.
    """

    reader: PixelReader = "tifffile"

    def __init__(self, path: Path, slide: OpenSlideSource) -> None:
        self.vendor = slide.vendor
        self.levels = slide.levels
        self.file_mpp = slide.file_mpp
        self.objective_power = slide.objective_power
        self.bounds_l0 = slide.bounds_l0
        self.cautions: tuple[str, ...] = slide.cautions
        self.slide = slide
        self.tiles = StoredTiles(path, _stored_levels(path, slide))

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        """See ``PixelSource.read``.

        What cannot be decoded is left to OpenSlide, which has the last word on damage.
        """
        if self._is_aligned(level, x) and self._is_aligned(level, y):
            try:
                box = self.tiles.read(level, x, y, width, height)
                return white_beyond(box, self.levels[level], x, y)
            except UNREADABLE as error:
                log.debug("level %d at (%d, %d) is left to OpenSlide: %s", level, x, y, error)
        return self.slide.read(level, x, y, width, height)

    def close(self) -> None:
        """Release the file."""
        self.tiles.close()
        self.slide.close()

    def _is_aligned(self, level: int, at: int) -> bool:
        """Whether OpenSlide, asked for pixel ``at`` of a level, gives it without interpolation."""
        downsample = self.slide.stated_downsamples[level]
        return abs(round(at * downsample) / downsample - at) < ALIGNED_PX


def _stored_levels(path: Path, slide: OpenSlideSource) -> tuple[StoredLevel | None, ...]:
    """Each level of ``slide`` as stored, None where only OpenSlide reads it."""
    stored: list[StoredLevel | None] = []
    try:
        with tifffile.TiffFile(path) as file:
            tiled = [page for page in file.pages if page.is_tiled]
            for size in slide.stored_sizes:
                try:
                    stored.append(stored_level(_page_of(size, tiled, slide.vendor)))
                except NotDirectlyReadableError:
                    if not stored:
                        raise
                    stored.append(None)
    except UNREADABLE as error:
        raise NotDirectlyReadableError(f"tifffile cannot open it ({error})") from error
    return tuple(stored)


def _page_of(size: tuple[int, int], pages: Sequence[Any], vendor: str) -> Any:
    """The image of a level of that width and height, when it is of a kind read directly."""
    same_size = [page for page in pages if (page.imagewidth, page.imagelength) == size]
    if len(same_size) != 1:
        raise NotDirectlyReadableError(
            f"{len(same_size)} of its tiled images, expected one, are {size[0]} x {size[1]} px"
        )
    page = same_size[0]
    if (vendor, page.compression, page.photometric) not in DIRECT:
        raise NotDirectlyReadableError(
            f"{vendor} with compression {page.compression!r} and {page.photometric!r} is not among the kinds known "
            "to give the same pixels"
        )
    check_layout(page)
    return page
