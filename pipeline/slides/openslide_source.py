"""The rim to OpenSlide: the only module that imports it."""

import ctypes
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openslide

from pipeline.arrays import Rgb
from pipeline.artefacts.input_files import FOLDER_FORMATS
from pipeline.slides.levels import LazyImage, ProvenLevels, proven_levels
from pipeline.slides.resolution import ome_mpp, ome_objective_power, stated_number, tiff_mpp
from pipeline.slides.slide_scale import resolution_cautions
from pipeline.slides.source import WHITE, Box, Level, PixelReader, UnreadablePixelsError, true_downsample, white_beyond

OpenSlideError = openslide.OpenSlideError
"""What OpenSlide raises; a handle that raised once raises ever after."""

OutOfOrderError = openslide.OpenSlideUnsupportedFormatError
"""What OpenSlide raises without a word on a file whose format it knows: its levels are not ever smaller."""

Argb = npt.NDArray[np.uint32]
"""OpenSlide's pixels (row, col): 0xAARRGGBB, colours multiplied by alpha."""

TIFF_RESOLUTION = ("XResolution", "YResolution", "ResolutionUnit")

OPAQUE = 0xFF000000
"""The least value of a pixel that nothing shows through."""

GUESSED = frozenset({"aperio", "generic-tiff"})
"""Formats whose levels OpenSlide takes from the marks of TIFF directories; the others name theirs.  TIFF's
properties are those of level 0 in these alone."""

BOUNDS = (
    openslide.PROPERTY_NAME_BOUNDS_X,
    openslide.PROPERTY_NAME_BOUNDS_Y,
    openslide.PROPERTY_NAME_BOUNDS_WIDTH,
    openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
)


def detect_vendor(path: Path) -> str | None:
    """OpenSlide's name of the format of ``path``, None when it knows none."""
    vendor: str | None = openslide.OpenSlide.detect_format(str(_followed(path)))
    return vendor


def _followed(path: Path) -> Path:
    return path.resolve() if path.suffix.lower() in FOLDER_FORMATS else path


class OpenSlideSource:
    """A slide that OpenSlide reads; see ``PixelSource``.

    OpenSlide takes corners as whole level-0 pixels, and states a level's downsample as the
    ratio of sizes: 4.0001 where a quarter was rounded down.  Its box is therefore off by up
    to half a level-0 pixel from the one asked for, and interpolated when it is off.

    Attributes
    ----------
    stored_sizes
        Size of the image stored for each level, pixels (width, height); larger than the level where it is padded.
    stated_downsamples
        What OpenSlide says and reads by.
    """

    reader: PixelReader = "openslide"

    def __init__(self, path: Path) -> None:
        self._path = str(_followed(path))
        self._lock = threading.Lock()
        slide = openslide.OpenSlide(self._path)
        self._slide: openslide.OpenSlide | None = slide
        # All that is asked is asked before the first box, which may be damaged and kill the handle.
        properties = dict(slide.properties)
        self.vendor: str = properties[openslide.PROPERTY_NAME_VENDOR]
        sizes: tuple[tuple[int, int], ...] = slide.level_dimensions
        self._stored_downsamples: tuple[float, ...] = slide.level_downsamples
        if self.vendor in GUESSED:
            images = [LazyImage(*size, *_tile_size(properties, number)) for number, size in enumerate(sizes)]
            proven = proven_levels(images, self._read_stored)
        else:
            proven = _named_levels(sizes, self._stored_downsamples)
        self._numbers = proven.numbers
        self.levels: tuple[Level, ...] = proven.levels
        self.cautions: tuple[str, ...] = proven.cautions
        self.stored_sizes: tuple[tuple[int, int], ...] = tuple(sizes[i] for i in proven.numbers)
        self.stated_downsamples: tuple[float, ...] = tuple(self._stored_downsamples[i] for i in proven.numbers)
        self.file_mpp = _stated_mpp(properties)
        self.objective_power = _stated_power(properties)
        self.cautions += _resolution_cautions(self.vendor, properties, self.file_mpp)
        self.bounds_l0 = _stated_bounds(properties, self.stored_sizes[0])

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Rgb:
        """See ``PixelSource.read``."""
        box = self._read_stored(self._numbers[level], x, y, width, height)
        is_padded = self.stored_sizes[level] != (self.levels[level].width, self.levels[level].height)
        return white_beyond(box, self.levels[level], x, y) if is_padded else box

    def _read_stored(self, number: int, x: int, y: int, width: int, height: int) -> Rgb:
        """A box of one of OpenSlide's levels, in its pixels."""
        downsample = self._stored_downsamples[number]
        corner = (round(x * downsample), round(y * downsample))
        return _rgb_over_white(self._argb(corner, number, (width, height)))

    def _argb(self, corner: tuple[int, int], level: int, size: tuple[int, int]) -> Argb:
        """A box, read once more through a handle of its own when the shared one has failed.

        Any thread's bad box kills the shared handle, so an error says nothing about this box.
        """
        shared = self._slide
        if shared is None:
            raise UnreadablePixelsError("the slide has been closed")
        try:
            return _read_argb(shared, corner, level, size)
        except OpenSlideError:
            try:
                self._replace(shared)
                with openslide.OpenSlide(self._path) as own:
                    return _read_argb(own, corner, level, size)
            except OpenSlideError as error:
                raise UnreadablePixelsError(str(error)) from error

    def _replace(self, dead: openslide.OpenSlide) -> None:
        """Put a new handle in the place of ``dead``, which closes with the last thread that reads through it."""
        with self._lock:
            if self._slide is dead:
                self._slide = openslide.OpenSlide(self._path)

    def close(self) -> None:
        """Release the file, which closes with the last thread that reads through it.

        OpenSlide's own ``close`` would free it under readers ahead, who are still at work when a job ends in an error.
        """
        with self._lock:
            self._slide = None


def _read_argb(slide: openslide.OpenSlide, corner: tuple[int, int], level: int, size: tuple[int, int]) -> Argb:
    """OpenSlide's own pixels.

    ``OpenSlide.read_region`` makes an unmultiplied Pillow image of them; making RGB of that
    costs an eighth of reading, and two roundings where the slide is transparent.
    """
    argb = np.empty(size[::-1], "<u4")
    target = argb.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32))
    openslide.lowlevel._read_region(slide._osr, target, *corner, level, *size)
    return argb


def _rgb_over_white(argb: Argb) -> Rgb:
    """Colours are multiplied by alpha already, so that white shows through by 255 - alpha."""
    blue_green_red_alpha = argb.view(np.uint8).reshape(*argb.shape, 4)
    rgb = np.empty((*argb.shape, 3), np.uint8)
    for channel in range(3):
        rgb[..., channel] = blue_green_red_alpha[..., 2 - channel]
    if argb.size and argb.min() < OPAQUE:
        # Colours above alpha are not multiplied by it, whatever the file says; they do not run over.
        white = ~blue_green_red_alpha[..., 3:]
        rgb = np.minimum(rgb, WHITE - white) + white
    return rgb


def _named_levels(sizes: Sequence[tuple[int, int]], downsamples: Sequence[float]) -> ProvenLevels:
    """The levels of a format that says which they are."""
    levels = (
        Level(*size, true_downsample(sizes[0], size, stated), number)
        for number, (size, stated) in enumerate(zip(sizes, downsamples, strict=True))
    )
    return ProvenLevels(tuple(range(len(sizes))), tuple(levels))


def _tile_size(properties: Mapping[str, str], level: int) -> tuple[int, int]:
    """Width and height of the stored tiles of one of OpenSlide's levels, a pixel where it does not say."""
    width, height = (int(properties.get(f"openslide.level[{level}].tile-{side}", 1)) for side in ("width", "height"))
    return width, height


def _stated_mpp(properties: Mapping[str, str]) -> tuple[float, float] | None:
    # An OME-TIFF is a generic TIFF to OpenSlide; its own statement is in the description.
    ome = ome_mpp(properties.get("tiff.ImageDescription"))
    if ome is not None:
        return ome
    try:
        return float(properties[openslide.PROPERTY_NAME_MPP_X]), float(properties[openslide.PROPERTY_NAME_MPP_Y])
    except (KeyError, ValueError):
        return None


def _stated_power(properties: Mapping[str, str]) -> float | None:
    stated = stated_number(properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER))
    return ome_objective_power(properties.get("tiff.ImageDescription")) if stated is None else stated


def _resolution_cautions(
    vendor: str, properties: Mapping[str, str], taken: tuple[float, float] | None
) -> tuple[str, ...]:
    """What is odd about TIFF's own resolution; of other vendors it is that of any image in the file."""
    if vendor not in GUESSED:
        return ()
    return resolution_cautions(tiff_mpp(*(properties.get(f"tiff.{name}") for name in TIFF_RESOLUTION)), taken)


def _stated_bounds(properties: Mapping[str, str], size_l0: tuple[int, int]) -> Box:
    try:
        x, y, width, height = (int(properties[name]) for name in BOUNDS)
    except (KeyError, ValueError):
        return (0, 0, *size_l0)
    return x, y, width, height
