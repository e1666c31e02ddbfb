"""Tiled TIFFs of which OpenSlide shows nothing or another picture.

Compressions it cannot decode, colours in planes, samples of other ranges, a slide that is not the first image, levels
among which a label stands.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tifffile
from tifffile import COMPRESSION, RESUNIT

from pipeline.arrays import Rgb
from pipeline.slides.levels import LazyImage, proven_levels
from pipeline.slides.resolution import ome_mpp, ome_objective_power, stated_number
from pipeline.slides.source import UNREADABLE, Level, PixelReader, UnreadablePixelsError, white_beyond
from pipeline.slides.stored_tiles import (
    UPRIGHT,
    NotDirectlyReadableError,
    StoredLevel,
    StoredTiles,
    check_layout,
    stored_level,
    stored_samples,
)
from pipeline.slides.tiff_image import SlideImage, slide_image
from pipeline.slides.tiff_samples import SampleLayout, check_decoded

BEYOND_OPENSLIDE = frozenset(
    {COMPRESSION.JPEG2000, COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.WEBP, COMPRESSION.JPEGXL, COMPRESSION.JPEGXL_DNG}
)
"""Compressions of a generic TIFF for which OpenSlide 4 has no decoder."""


class TiffPyramidSource:
    """The slide in a TIFF and its levels, stored in pages or SubIFDs; see ``PixelSource`` and ``slide_image``.

    Raises
    ------
    UnusableImageError
        See ``slide_image``.
    NotDirectlyReadableError
        If the slide is not stored in tiles, or no decoder of them is installed.
    """

    reader: PixelReader = "tifffile"

    def __init__(self, path: Path, vendor: str = "generic-tiff") -> None:
        self.vendor = vendor
        with tifffile.TiffFile(path) as file:
            image = slide_image(file)
            _check(image)
            self.file_mpp, self.objective_power = _stated_scale(file, image)
            self.tiles = StoredTiles(path, [_stored(pages, image.layout) for pages in image.levels])
        images = [LazyImage(each.width, each.height, each.tile_width, each.tile_height) for each in self._stored]
        proven = proven_levels(images, self._read_stored)
        self._numbers = proven.numbers
        self.levels: tuple[Level, ...] = proven.levels
        self.cautions: tuple[str, ...] = image.cautions + proven.cautions
        self.bounds_l0 = (0, 0, self.levels[0].width, self.levels[0].height)

    @property
    def _stored(self) -> list[StoredLevel]:
        return [level for level in self.tiles.levels if level is not None]

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


def _check(image: SlideImage) -> None:
    if not image.is_tiled:
        raise NotDirectlyReadableError("it is not stored in tiles of one file")
    if image.page.tags.valueof("Orientation", UPRIGHT) != UPRIGHT:
        raise NotDirectlyReadableError("it is not stored upright")
    check_decoded(image.page)


def _stored(pages: Sequence[Any], layout: SampleLayout) -> StoredLevel:
    try:
        check_layout(pages[0])
    except NotDirectlyReadableError:
        return stored_samples(pages, layout)
    return stored_level(pages[0])


def _stated_scale(file: tifffile.TiffFile, image: SlideImage) -> tuple[tuple[float, float] | None, float | None]:
    """Um per pixel in x and y and the objective's power, as the description says, else as TIFF's resolution does."""
    if file.is_svs:
        words = dict(item.split("=", 1) for item in image.page.description.split("|") if "=" in item)
        stated = {name.strip(): stated_number(value) for name, value in words.items()}
        mpp, power = stated.get("MPP"), stated.get("AppMag")
        return ((mpp, mpp) if mpp else _tiff_resolution(image.page)), power
    ome = ome_mpp(file.ome_metadata, image.number)
    return ome or _tiff_resolution(image.page), ome_objective_power(file.ome_metadata)


def _tiff_resolution(page: Any) -> tuple[float, float] | None:
    if page.resolutionunit not in (RESUNIT.INCH, RESUNIT.CENTIMETER) or min(page.resolution) <= 0:
        return None
    x, y = page.get_resolution(RESUNIT.MICROMETER)
    return 1 / x, 1 / y
