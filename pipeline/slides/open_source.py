"""Which reader opens a file."""

from pathlib import Path

import tifffile

from pipeline.errors import ConfigError, SlideError
from pipeline.logs import get_logger
from pipeline.slides.image_source import ImageSource, is_tiff
from pipeline.slides.openslide_source import (
    GUESSED,
    OpenSlideError,
    OpenSlideSource,
    OutOfOrderError,
    detect_vendor,
)
from pipeline.slides.reader_names import Reader
from pipeline.slides.source import UNREADABLE, PixelSource, UnusableImageError
from pipeline.slides.stored_tiles import NotDirectlyReadableError
from pipeline.slides.tiff_image import SlideImage, slide_image
from pipeline.slides.tiff_pyramid import BEYOND_OPENSLIDE, TiffPyramidSource
from pipeline.slides.tiff_source import TiffSource

READABLE = "expected a slide that OpenSlide reads, or a PNG, JPEG, WebP, BMP or TIFF image"

log = get_logger("slides")


def open_source(path: Path, slide_id: str, reader: Reader) -> PixelSource:
    """Open whatever reads a file; ``open_slide`` tells what ``reader`` means.

    Raises
    ------
    SlideError
        If there is no such file, it cannot be read, or it does not hold the picture of one slide.
    ConfigError
        If ``reader`` is ``tifffile`` and cannot read this slide, or ``openslide`` and would show another picture.
    """
    if not path.is_file():
        there = "a folder" if path.is_dir() else "no such file"
        raise SlideError(f"slide {slide_id} ({path}): {READABLE}; found {there}. Mend the path in the sheet.")
    try:
        source = _open_file(path, slide_id, reader)
        if 0 in (source.levels[0].width, source.levels[0].height):
            raise ValueError(f"its size is {source.levels[0].width} x {source.levels[0].height} pixels")
    except (UnusableImageError, NotDirectlyReadableError) as error:
        raise SlideError(f"slide {slide_id} ({path}): {error}") from error
    except (OpenSlideError, *UNREADABLE) as error:
        raise SlideError(
            f"slide {slide_id} ({path}): {READABLE}; it cannot be opened: {error}. "
            "Copy or convert it again, or set on_bad_slide: exclude."
        ) from error
    return source


def _open_file(path: Path, slide_id: str, reader: Reader) -> PixelSource:
    vendor = detect_vendor(path)
    if vendor is None:
        return TiffPyramidSource(path) if _is_tiled_after_strips(path) else ImageSource(path)
    if vendor not in GUESSED:
        return _open_slide_file(path, slide_id, reader)
    try:
        image = _slide_image(path)
    except UNREADABLE as error:
        log.info("slide %s: OpenSlide alone says which image is the slide, because tifffile says: %s", slide_id, error)
        return _open_slide_file(path, slide_id, reader)
    if image.openslide_shows_it:
        return _open_slide_file(path, slide_id, reader, image)
    return _open_without_openslide(path, slide_id, reader, image)


def _open_without_openslide(path: Path, slide_id: str, reader: Reader, image: SlideImage) -> PixelSource:
    """A slide of which OpenSlide shows another picture, or whose levels it counts from a larger image."""
    if reader == "openslide":
        raise ConfigError(
            f"slide {slide_id} ({path}): reader is openslide, which does not show this slide as the file describes it. "
            "Set reader: auto."
        )
    log.info("slide %s: pixels are read by tifffile, because OpenSlide would show another picture", slide_id)
    return TiffPyramidSource(path, detect_vendor(path) or "generic-tiff") if image.is_tiled else ImageSource(path)


def _is_tiled_after_strips(path: Path) -> bool:
    """Whether OpenSlide does not know a file because the slide is not its first image; else it may be damaged."""
    if not is_tiff(path):
        return False
    image = _slide_image(path)
    return image.page.index != 0 and image.is_tiled


def _slide_image(path: Path) -> SlideImage:
    with tifffile.TiffFile(path) as file:
        return slide_image(file)


def _open_slide_file(path: Path, slide_id: str, reader: Reader, image: SlideImage | None = None) -> PixelSource:
    """A slide that OpenSlide knows; ``image`` is what tifffile says of it, if it was asked."""
    try:
        slide = OpenSlideSource(path)
    except OpenSlideError as error:
        if reader == "openslide" or not is_tiff(path) or not _is_ours(path, error):
            raise
        log.info("slide %s: pixels are read by tifffile, because OpenSlide says: %s", slide_id, error)
        return TiffPyramidSource(path, detect_vendor(path) or "generic-tiff")
    if image is not None and slide.stored_sizes[0] != image.size:
        slide.close()
        return _open_without_openslide(path, slide_id, reader, image)
    slide.cautions += image.cautions if image else ()
    return _faster(slide, path, slide_id, reader)


def _is_ours(path: Path, error: OpenSlideError) -> bool:
    """Whether OpenSlide lacks a decoder, or finds the levels out of order; what else it refuses is damaged."""
    try:
        image = _slide_image(path)
    except UNREADABLE:
        return False
    return image.is_tiled and (image.page.compression in BEYOND_OPENSLIDE or isinstance(error, OutOfOrderError))


def _faster(slide: OpenSlideSource, path: Path, slide_id: str, reader: Reader) -> PixelSource:
    """``slide``, or what reads the same pixels faster."""
    if reader == "openslide":
        return slide
    try:
        return TiffSource(path, slide)
    except NotDirectlyReadableError as reason:
        if reader == "tifffile":
            slide.close()
            raise ConfigError(
                f"slide {slide_id} ({path}): reader is tifffile, but {reason}. Set reader: auto or openslide."
            ) from reason
        log.info("slide %s: pixels are read by OpenSlide, because %s", slide_id, reason)
        return slide
