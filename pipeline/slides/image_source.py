"""Plain images (PNG, JPEG, WebP, BMP, TIFF), held in memory as RGB.

Stored pixels are the frame: EXIF orientation is not applied.  Resolution tags of plain
images are not believed, because editors write 72 dpi whatever the microscope was; OME
metadata is.
"""

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from pipeline.arrays import Rgb
from pipeline.slides.resolution import ome_mpp
from pipeline.slides.source import Level, PixelReader, blank, over_white

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

MAX_PIXELS = 500_000_000
"""Largest image held in memory (1.5 GB as RGB); larger ones belong into a pyramid."""

UNREADABLE = (
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    EOFError,
    struct.error,
    zlib.error,
    tifffile.TiffFileError,
    Image.DecompressionBombError,
)
"""What decoders raise on foreign, damaged or oversized files."""


class ImageSource:
    """A plain image in memory, one level; see ``PixelSource``."""

    reader: PixelReader = "image"
    vendor = "image"
    objective_power: float | None = None
    cautions: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.file_mpp: tuple[float, float] | None = None
        with path.open("rb") as stream:
            is_tiff = stream.read(4) in TIFF_MAGIC
        if is_tiff:
            self._rgb, self.file_mpp = _read_tiff(path)
        else:
            self._rgb = _read_with_pillow(path)
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


def _read_with_pillow(path: Path) -> Rgb:
    with Image.open(path) as picture:
        picture.load()
        if picture.mode == "F":
            raise ValueError("grey levels are floating-point numbers without a known range")
        if picture.mode.startswith("I"):
            return _rgb_from_array(np.asarray(picture).astype(np.uint16))
        return over_white(picture)


def _read_tiff(path: Path) -> tuple[Rgb, tuple[float, float] | None]:
    """First image of a TIFF at its finest level, and its OME pixel size."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        _check_size(series.shape, series.axes)
        page = series.keyframe
        pixels = _as_rows_cols_samples(series.asarray(), series.axes)
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            # Colour maps hold 16 bits; writers differ in the lower byte (65,535 or 65,280 for full).
            colours = (np.asarray(page.colormap) >> 8).astype(np.uint8)
            pixels = np.moveaxis(colours, 0, -1)[pixels[..., 0]]
        elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            pixels = ~pixels
        elif page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise ValueError("the image is CMYK")
        return _rgb_from_array(pixels), ome_mpp(file.ome_metadata)


def _check_size(shape: tuple[int, ...], axes: str) -> None:
    n_pixels = math.prod(size for size, axis in zip(shape, axes, strict=True) if axis in "YX")
    if n_pixels > MAX_PIXELS:
        raise ValueError(
            f"{n_pixels:,} pixels are more than the {MAX_PIXELS:,} held in memory; make it a tiled pyramid"
        )


def _as_rows_cols_samples(pixels: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """View (row, col, sample) of an image whose axes are named as tifffile names them."""
    keep = [i for i, size in enumerate(pixels.shape) if size > 1 or axes[i] in "YX"]
    pixels, axes = pixels.reshape([pixels.shape[i] for i in keep]), "".join(axes[i] for i in keep)
    axes = axes.replace("C", "S")
    if sorted(axes) == ["X", "Y"]:
        return np.moveaxis(pixels, [axes.index("Y"), axes.index("X")], [0, 1])[..., None]
    if sorted(axes) == ["S", "X", "Y"] and pixels.shape[axes.index("S")] in (3, 4):
        return np.moveaxis(pixels, [axes.index("Y"), axes.index("X"), axes.index("S")], [0, 1, 2])
    raise ValueError(f"axes {axes} of shape {pixels.shape} are not one grey, RGB or RGBA image")


def _rgb_from_array(pixels: npt.NDArray[Any]) -> Rgb:
    """RGB of (row, col) or (row, col, sample) integers, scaled from the range of their type."""
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "u":
        raise ValueError(
            f"pixels are {pixels.dtype}, whose range is not known; expected 8- or 16-bit unsigned integers"
        )
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels / (np.iinfo(pixels.dtype).max / 255.0)).astype(np.uint8)
    samples = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    return over_white(Image.fromarray(np.ascontiguousarray(samples)))
