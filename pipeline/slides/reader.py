"""Boxes of a slide at any resolution; ``pipeline.slides`` tells the coordinate frames."""

import math
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from pipeline.arrays import Rgb
from pipeline.errors import ConfigError, UnreadableRegionError
from pipeline.slides.mpp_ranges import MPP_RANGE, MppRange
from pipeline.slides.open_source import open_source
from pipeline.slides.reader_names import Reader
from pipeline.slides.slide_scale import SlideScale, slide_scale
from pipeline.slides.source import Level, PixelReader, PixelSource, UnreadablePixelsError
from pipeline.slides.thumbnail import BadBox, Thumbnail

LEVEL_TOLERANCE = 0.01
"""Relative excess of a level's downsample over the wanted one at which it still serves."""

EXACT_PX = 1e-4
"""Guard: fractions of a pixel below this are rounding, not a shift."""

LANCZOS_REACH = 3
"""Support of the Lanczos kernel to either side, in pixels of the coarser grid."""

REDUCING_GAP = 3.0
"""Pixels are averaged in whole blocks down to this many times the wanted size, Lanczos does the rest;
Pillow's documentation calls the result almost the same from 3."""


class SlideReader:
    """An open slide; made by ``open_slide``.

    Attributes
    ----------
    slide_id
        Name used in messages.
    path
        The file.
    width_l0, height_l0
        Size of level 0 in pixels.
    bounds_l0
        The scanned part, level-0 (x, y, width, height); the whole slide where the file states none.
    mpp
        um per level-0 pixel.
    vendor
        OpenSlide's name of the format, or ``image``.
    reader
        What decodes the pixels: ``tifffile``, ``openslide`` or ``image``.
    cautions
        What is odd about the file and about the pixel size, one clause each.
    """

    def __init__(self, source: PixelSource, path: Path, *, slide_id: str, scale: SlideScale) -> None:
        self.slide_id = slide_id
        self.path = path
        self.width_l0 = source.levels[0].width
        self.height_l0 = source.levels[0].height
        self.bounds_l0 = source.bounds_l0
        self.mpp = scale.mpp
        self.vendor = source.vendor
        self.reader: PixelReader = source.reader
        self.cautions = (*source.cautions, *scale.cautions)
        self._source = source

    @property
    def levels(self) -> tuple[Level, ...]:
        """The stored resolutions, finest first."""
        return self._source.levels

    def read_box(
        self, x_l0: float, y_l0: float, width_l0: float, height_l0: float, *, width_px: int, height_px: int
    ) -> Rgb:
        """Pixels of a box, resampled with antialiasing from the best level.

        The level is the coarsest that is at least as fine as what is asked for.  When
        its pixels coincide with those asked for, they are returned as they are.

        Parameters
        ----------
        x_l0, y_l0, width_l0, height_l0
            The box, level-0 pixels; may reach beyond the slide.
        width_px, height_px
            Size of the result.

        Returns
        -------
        uint8 (height_px, width_px, 3), white outside the slide and where it is transparent.

        Raises
        ------
        UnreadableRegionError
            If the slide is damaged there; other boxes stay readable.
        """
        level = self.best_level(min(width_l0 / width_px, height_l0 / height_px))
        downsample = self.levels[level].downsample
        left, top, box_w, box_h = (length / downsample for length in (x_l0, y_l0, width_l0, height_l0))
        if _whole(left, top) and max(abs(box_w - width_px), abs(box_h - height_px)) < EXACT_PX:
            return self._read(level, round(left), round(top), width_px, height_px)
        pad = math.ceil(LANCZOS_REACH * max(box_w / width_px, box_h / height_px, 1.0)) + 1
        x, y = math.floor(left) - pad, math.floor(top) - pad
        left, top = left - x, top - y
        pixels = self._read(level, x, y, math.ceil(left + box_w) + pad, math.ceil(top + box_h) + pad)
        box = (left, top, left + box_w, top + box_h)
        resized = Image.fromarray(pixels).resize(
            (width_px, height_px), Image.Resampling.LANCZOS, box=box, reducing_gap=REDUCING_GAP
        )
        return np.asarray(resized, np.uint8)

    def thumbnail(self, mpp: float, *, on_unreadable: BadBox | None = None) -> Rgb:
        """The whole slide at about ``mpp`` um/px, uint8 (h, w, 3) of at least one pixel.

        Sides are ``round(side_l0 * self.mpp / mpp)``; the first and last pixels end at
        the slide's borders.  Outside ``bounds_l0`` it is white and nothing is read.

        Parameters
        ----------
        on_unreadable
            Called with each level-0 box that cannot be read, found to about 256 source
            pixels; it is left white.  None raises.

        Raises
        ------
        UnreadableRegionError
            If the slide is damaged and ``on_unreadable`` is None.
        """
        width_px = max(1, round(self.width_l0 * self.mpp / mpp))
        height_px = max(1, round(self.height_l0 * self.mpp / mpp))
        return Thumbnail(self, width_px, height_px, on_unreadable).filled()

    def close(self) -> None:
        """Release the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def best_level(self, downsample: float) -> int:
        """The coarsest level at least as fine as ``downsample`` level-0 pixels per pixel, else level 0."""
        fine_enough = [
            i for i, level in enumerate(self.levels) if level.downsample <= downsample * (1 + LEVEL_TOLERANCE)
        ]
        return max(fine_enough, key=lambda i: self.levels[i].downsample, default=0)

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        try:
            return self._source.read(level, x, y, width, height)
        except UnreadablePixelsError as error:
            corner = tuple(round(at * self.levels[level].downsample) for at in (x, y))
            raise UnreadableRegionError(
                f"slide {self.slide_id} ({self.path}): {width} x {height} px of level {level} at level-0 position "
                f"{corner} cannot be read: {error}. The file is damaged or cut short: copy it again, "
                "or set on_bad_tile: exclude (leaves out the tile) or on_bad_slide: exclude (leaves out the slide)."
            ) from error


def open_slide(
    path: str | Path,
    *,
    slide_id: str,
    mpp: float | None = None,
    reader: Reader = "auto",
    mpp_range: MppRange = MPP_RANGE,
) -> SlideReader:
    """Open a slide or an image for reading.

    Parameters
    ----------
    path
        Anything OpenSlide reads, or a PNG, JPEG, WebP, BMP or TIFF image.
    slide_id
        Name used in messages.
    mpp
        um per level-0 pixel; overrules the file.  None takes the file's.
    reader
        ``tifffile`` decodes the stored tiles of tiled TIFFs itself, several times faster
        than OpenSlide and with the same pixels; ``auto`` does so wherever that is proven
        and leaves the rest to OpenSlide.  Images that OpenSlide does not know are held in
        memory whatever is given here.
    mpp_range
        What a pixel size can be, whoever states it; ``ANY_MPP`` for one that was judged before.

    Raises
    ------
    SlideError
        If there is no such file, it cannot be read, or its pixels are not square.
    MissingMppError
        If neither ``mpp`` nor the file gives a pixel size that a microscope can have.
    ConfigError
        If ``mpp`` is not a positive number inside ``mpp_range``; if ``reader`` is ``tifffile`` and cannot read this
        slide.
    """
    if mpp is not None and not (math.isfinite(mpp) and mpp > 0):
        raise ConfigError(f"slide {slide_id}: mpp is {mpp}; expected a positive number of micrometres per pixel.")
    file = Path(path)
    source = open_source(file, slide_id, reader)
    try:
        scale = slide_scale(source, mpp, mpp_range, f"slide {slide_id} ({file})")
        return SlideReader(source, file, slide_id=slide_id, scale=scale)
    except BaseException:
        source.close()
        raise


def _whole(*lengths_px: float) -> bool:
    return all(abs(length - round(length)) < EXACT_PX for length in lengths_px)
