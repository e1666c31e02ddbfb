"""What a file of pixels offers, whatever its format."""

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import tifffile
from PIL import Image

from pipeline.arrays import Rgb

PixelReader = Literal["tifffile", "openslide", "image"]
"""What decodes pixels: our own tiled-TIFF reader, OpenSlide, or an image held in memory."""

Box = tuple[int, int, int, int]
"""x, y, width, height."""

WHITE = 255


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


class UnreadablePixelsError(Exception):
    """Stored pixels cannot be decoded; ``SlideReader`` turns it into an ``UnreadableRegionError``."""


class UnusableImageError(Exception):
    """What a file holds cannot be taken for the picture of a slide; the message says what it holds and what to do.

    Its subject is "it", the file.
    """


@dataclass(frozen=True)
class Level:
    """One resolution of a slide.

    Attributes
    ----------
    width, height
        Size in its own pixels.
    downsample
        Level-0 pixels per pixel of it.
    number
        Its number in OpenSlide, by which other tools ask for it; None where they would misplace it.
    """

    width: int
    height: int
    downsample: float
    number: int | None = 0


class PixelSource(Protocol):
    """An open file of pixels, in several resolutions.

    Frame: pixels of a level, origin top-left, y down.  Pixel edge ``x`` of a level lies at
    ``x * downsample`` of level 0.
    """

    reader: PixelReader
    """What decodes the pixels."""

    vendor: str
    """OpenSlide's name of the format, or ``image``."""

    levels: tuple[Level, ...]
    """Finest first; the first has downsample 1."""

    file_mpp: tuple[float, float] | None
    """um per level-0 pixel in x and y as the file says, None when it does not."""

    objective_power: float | None
    """Magnification of the objective as the file says, None when it does not."""

    cautions: tuple[str, ...]
    """What is odd about the file and does not keep it from being read; one clause each, without the slide's name."""

    bounds_l0: Box
    """The scanned part, level-0 pixels; the whole slide where the file states none."""

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        """Box of ``level``, all four numbers in its pixels: uint8 (height, width, 3), RGB.

        White outside the slide and where it is transparent.  Safe to call from several threads.

        Raises
        ------
        UnreadablePixelsError
            If the file is damaged there; other boxes stay readable.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...


def blank(width: int, height: int) -> Rgb:
    """White, uint8 (height, width, 3)."""
    return np.full((height, width, 3), WHITE, np.uint8)


def white_beyond(box: Rgb, level: Level, x: int, y: int) -> Rgb:
    """``box``, whose corner is (x, y) of ``level``, made white where the level ends and a padded image goes on."""
    box[max(level.height - y, 0) :] = WHITE
    box[:, max(level.width - x, 0) :] = WHITE
    return box


def true_downsample(size_l0: tuple[int, int], size: tuple[int, int], stated: float) -> float:
    """The power of two that a level was made with when its sizes (width, height) were rounded, else ``stated``."""
    nearest = 2.0 ** round(math.log2(stated))
    rounded = all(abs(side_l0 / nearest - side) < 1 for side_l0, side in zip(size_l0, size, strict=True))
    return nearest if rounded else stated


def over_white(picture: Image.Image) -> Rgb:
    """RGB of ``picture``, transparent parts shown over white: uint8 (h, w, 3)."""
    if picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGBA")
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (WHITE, WHITE):
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (WHITE, WHITE, WHITE, WHITE)), picture)
    packed = np.frombuffer(picture.tobytes("raw", "RGB"), np.uint8)
    return packed.reshape(picture.height, picture.width, 3)
