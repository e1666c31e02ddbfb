"""Tiled TIFFs that OpenSlide recognises and cannot decode, such as JPEG 2000 in an OME-TIFF."""

from pathlib import Path
from typing import Any

import tifffile
from tifffile import COMPRESSION, PHOTOMETRIC, RESUNIT

from pipeline.arrays import Rgb
from pipeline.slides.image_source import UNREADABLE
from pipeline.slides.levels import StoredImage, proven_levels
from pipeline.slides.resolution import ome_mpp, ome_objective_power
from pipeline.slides.source import Level, PixelReader, UnreadablePixelsError, white_beyond
from pipeline.slides.stored_tiles import NotDirectlyReadableError, StoredTiles, check_layout, stored_level

BEYOND_OPENSLIDE = frozenset(
    {COMPRESSION.JPEG2000, COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.WEBP, COMPRESSION.JPEGXL, COMPRESSION.JPEGXL_DNG}
)
"""Compressions of a generic TIFF for which OpenSlide 4 has no decoder."""


class TiffPyramidSource:
    """The first image of a TIFF and its levels, stored in pages or SubIFDs; see ``PixelSource``.

    Raises
    ------
    NotDirectlyReadableError
        If the image is not tiled RGB of a compression in ``BEYOND_OPENSLIDE``.
    """

    reader: PixelReader = "tifffile"
    vendor = "generic-tiff"

    def __init__(self, path: Path) -> None:
        with tifffile.TiffFile(path) as file:
            pages = [level.keyframe for level in file.series[0].levels]
            for page in pages:
                _check(page)
            ome = ome_mpp(file.ome_metadata)
            self.objective_power = ome_objective_power(file.ome_metadata)
            self.file_mpp = ome if ome is not None else _stated_mpp(pages[0])
            self.tiles = StoredTiles(path, [stored_level(page) for page in pages])
        images = [StoredImage(page.imagewidth, page.imagelength, page.tilewidth, page.tilelength) for page in pages]
        proven = proven_levels(images, self._read_stored)
        self._numbers = proven.numbers
        self.levels: tuple[Level, ...] = proven.levels
        self.cautions: tuple[str, ...] = proven.cautions
        self.bounds_l0 = (0, 0, self.levels[0].width, self.levels[0].height)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        """See ``PixelSource.read``."""
        return white_beyond(self._read_stored(self._numbers[level], x, y, width, height), self.levels[level], x, y)

    def _read_stored(self, number: int, x: int, y: int, width: int, height: int) -> Rgb:
        try:
            return self.tiles.read(number, x, y, width, height)
        except UNREADABLE as error:
            raise UnreadablePixelsError(str(error)) from error

    def close(self) -> None:
        """Release the file."""
        self.tiles.close()


def _check(page: Any) -> None:
    if not page.is_tiled or page.compression not in BEYOND_OPENSLIDE or page.photometric != PHOTOMETRIC.RGB:
        raise NotDirectlyReadableError(f"{page.compression!r} with {page.photometric!r} is not read without OpenSlide")
    check_layout(page)


def _stated_mpp(page: Any) -> tuple[float, float] | None:
    if page.resolutionunit not in (RESUNIT.INCH, RESUNIT.CENTIMETER) or min(page.resolution) <= 0:
        return None
    x, y = page.get_resolution(RESUNIT.MICROMETER)
    return 1 / x, 1 / y
