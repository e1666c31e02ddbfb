"""Plain images (PNG, JPEG, WebP, BMP, TIFF), held in memory as RGB.

Stored pixels are the frame: EXIF orientation is not applied.  Resolution tags of plain
images are not believed, because editors write 72 dpi whatever the microscope was; OME
metadata is.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from tifffile import PHOTOMETRIC, PLANARCONFIG

from pipeline.arrays import Rgb
from pipeline.slides.resolution import ome_mpp
from pipeline.slides.source import Level, PixelReader, UnusableImageError, blank, over_white
from pipeline.slides.tiff_image import SlideImage, slide_image
from pipeline.slides.tiff_samples import GREY, MAX_16_BIT, SampleLayout, Samples, check_decoded

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

MAX_PIXELS = 500_000_000
"""Largest image held in memory (1.5 GB as RGB); larger ones belong into a pyramid."""


def is_tiff(path: Path) -> bool:
    """Whether a file begins as a TIFF does."""
    with path.open("rb") as stream:
        return stream.read(4) in TIFF_MAGIC


class ImageSource:
    """A plain image in memory, one level; see ``PixelSource``."""

    reader: PixelReader = "image"
    vendor = "image"
    objective_power: float | None = None

    def __init__(self, path: Path) -> None:
        self.file_mpp: tuple[float, float] | None = None
        self.cautions: tuple[str, ...]
        if is_tiff(path):
            with tifffile.TiffFile(path) as file:
                self._rgb, image = _read_tiff(file)
                self.file_mpp, self.cautions = ome_mpp(file.ome_metadata, image.number), image.cautions
        else:
            self._rgb, self.cautions = _read_with_pillow(path)
        height, width = self._rgb.shape[:2]
        self.levels: tuple[Level, ...] = (Level(width, height, 1.0),)
        self.bounds_l0 = (0, 0, width, height)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        """See ``PixelSource.read``."""
        box = blank(width, height)
        rows, cols = slice(max(y, 0), max(y + height, 0)), slice(max(x, 0), max(x + width, 0))
        part = self._rgb[rows, cols]
        top, left = rows.start - y, cols.start - x
        box[top : top + part.shape[0], left : left + part.shape[1]] = part
        return box

    def close(self) -> None:
        """Nothing is held open."""


def _read_with_pillow(path: Path) -> tuple[Rgb, tuple[str, ...]]:
    with Image.open(path) as picture:
        picture.load()
        if picture.mode == "F":
            raise UnusableImageError(
                "its grey levels are floating-point numbers without a known range. Scale them to 0 to 255 and save "
                "them with 8 bits."
            )
        if picture.mode == "CMYK":
            raise UnusableImageError(
                "its samples are inks (CMYK), whose colours depend on the press. Convert it to RGB."
            )
        cautions = (GREY,) if picture.mode[0] in "1LI" else ()
        if picture.mode.startswith("I"):
            layout = SampleLayout(np.dtype(np.uint16), 16, 1, PHOTOMETRIC.MINISBLACK, (), MAX_16_BIT)
            return layout.rgb(np.asarray(picture).astype(np.uint16)[..., None]), cautions
        return over_white(picture), cautions


def _read_tiff(file: tifffile.TiffFile) -> tuple[Rgb, SlideImage]:
    """The slide in a TIFF at its finest level."""
    image = slide_image(file)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnusableImageError(
            f"its {width * height:,} pixels are more than the {MAX_PIXELS:,} held in memory; make it a tiled pyramid."
        )
    check_decoded(image.page)
    planes = [_rows_cols_samples(page) for page in image.levels[0]]
    return image.layout.rgb(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)), image


def _rows_cols_samples(page: Any) -> Samples:
    """Samples (row, col, sample) of a page, however they are stored."""
    if max(page.databytecounts, default=0) > page.parent.filehandle.size:
        raise EOFError("the file ends within its samples")
    samples: Samples = page.asarray()
    if samples.ndim == 2:
        return samples[..., None]
    return np.moveaxis(samples, 0, 2) if page.keyframe.planarconfig == PLANARCONFIG.SEPARATE else samples
