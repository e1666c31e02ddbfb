"""The rim to OpenSlide: the only module that imports it."""

from pathlib import Path

import openslide
from PIL import Image

from pipeline.slides.resolution import ome_mpp
from pipeline.slides.source import Level, over_white

OpenSlideError = openslide.OpenSlideError
"""What OpenSlide raises; a slide that raised once raises ever after."""

FOLDER_FORMATS = frozenset({".mrxs", ".vms", ".vmu"})
"""Formats whose file stands beside its data, so that a link to it has to be followed."""


def detect_vendor(path: Path) -> str | None:
    """OpenSlide's name of the format of ``path``, None when it knows none."""
    vendor: str | None = openslide.OpenSlide.detect_format(str(_followed(path)))
    return vendor


def _followed(path: Path) -> Path:
    return path.resolve() if path.suffix.lower() in FOLDER_FORMATS else path


class OpenSlideSource:
    """A slide that OpenSlide reads; see ``PixelSource``."""

    def __init__(self, path: Path) -> None:
        self._slide = openslide.OpenSlide(str(_followed(path)))
        properties = self._slide.properties
        self.vendor: str = properties[openslide.PROPERTY_NAME_VENDOR]
        self.levels: tuple[Level, ...] = tuple(
            Level(int(width), int(height), float(downsample))
            for (width, height), downsample in zip(
                self._slide.level_dimensions, self._slide.level_downsamples, strict=True
            )
        )
        stated = (properties.get(openslide.PROPERTY_NAME_MPP_X), properties.get(openslide.PROPERTY_NAME_MPP_Y))
        # An OME-TIFF is a generic TIFF to OpenSlide; its own statement is in the description.
        ome = ome_mpp(properties.get("tiff.ImageDescription"))
        self.file_mpp = ome if ome is not None else _numbers(stated)

    def read(self, level: int, x_l0: int, y_l0: int, width: int, height: int) -> Image.Image:
        """See ``PixelSource.read``.

        Raises
        ------
        OpenSlideError
            If the slide is damaged there.
        """
        return over_white(self._slide.read_region((x_l0, y_l0), level, (width, height)))

    def close(self) -> None:
        """Release the file."""
        self._slide.close()


def _numbers(stated: tuple[str | None, str | None]) -> tuple[float, float] | None:
    x, y = stated
    if x is None or y is None:
        return None
    try:
        return float(x), float(y)
    except ValueError:
        return None
