"""Boxes of a slide at any resolution.

Frame: level-0 pixels of the slide, (x, y), origin at its top-left corner, y down, as
OpenSlide counts them (for MRXS that is the whole grid, of which ``openslide.bounds-*``
names the scanned part).  Arrays are (row, col, RGB).
"""

import math
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.errors import ConfigError, MissingMppError, SlideError
from pipeline.slides.image_source import UNREADABLE, ImageSource
from pipeline.slides.openslide_source import OpenSlideError, OpenSlideSource, detect_vendor
from pipeline.slides.resolution import is_square, plausible_mpp
from pipeline.slides.source import Level, PixelSource

Pixels = npt.NDArray[np.uint8]

LEVEL_TOLERANCE = 0.01
"""Relative excess of a level's downsample over the wanted one at which it still serves."""

EXACT_PX = 1e-4
"""Guard: fractions of a pixel below this are rounding, not a shift."""

LANCZOS_REACH = 3
"""Support of the Lanczos kernel to either side, in pixels of the coarser grid."""

BLOCK_PX = 2048
"""Side of the largest box of source pixels read at once for a thumbnail."""

READABLE = "expected a slide that OpenSlide reads, or a PNG, JPEG, WebP, BMP or TIFF image"


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
    mpp
        um per level-0 pixel.
    vendor
        OpenSlide's name of the format, or ``image``.
    """

    def __init__(self, source: PixelSource, path: Path, *, slide_id: str, mpp: float) -> None:
        self.slide_id = slide_id
        self.path = path
        self.width_l0 = source.levels[0].width
        self.height_l0 = source.levels[0].height
        self.mpp = mpp
        self.vendor = source.vendor
        self._source = source

    @property
    def levels(self) -> tuple[Level, ...]:
        """The stored resolutions, finest first."""
        return self._source.levels

    def read_box(
        self, x_l0: float, y_l0: float, width_l0: float, height_l0: float, *, width_px: int, height_px: int
    ) -> Pixels:
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
        SlideError
            If the slide is damaged there.
        """
        level = self._best_level(min(width_l0 / width_px, height_l0 / height_px))
        downsample = self.levels[level].downsample
        box_w, box_h = width_l0 / downsample, height_l0 / downsample
        coincide = _whole(box_w - width_px, box_h - height_px, x_l0 / downsample, y_l0 / downsample)
        exact = coincide and round(box_w) == width_px and round(box_h) == height_px
        pad = 0 if exact else math.ceil(LANCZOS_REACH * max(box_w / width_px, box_h / height_px, 1.0)) + 1
        corner_x, corner_y = (round((math.floor(at / downsample + EXACT_PX) - pad) * downsample) for at in (x_l0, y_l0))
        if exact:
            return np.asarray(self._read(level, corner_x, corner_y, width_px, height_px), np.uint8)
        left, top = (x_l0 - corner_x) / downsample, (y_l0 - corner_y) / downsample
        size = (math.ceil(left + box_w) + pad, math.ceil(top + box_h) + pad)
        picture = self._read(level, corner_x, corner_y, *size)
        box = (left, top, left + box_w, top + box_h)
        return np.asarray(picture.resize((width_px, height_px), Image.Resampling.LANCZOS, box=box), np.uint8)

    def thumbnail(self, mpp: float) -> Pixels:
        """The whole slide at about ``mpp`` um/px, uint8 (h, w, 3) of at least one pixel.

        Sides are ``round(side_l0 * self.mpp / mpp)``; the first and last pixels end at
        the slide's borders.
        """
        width_px = max(1, round(self.width_l0 * self.mpp / mpp))
        height_px = max(1, round(self.height_l0 * self.mpp / mpp))
        step_x, step_y = self.width_l0 / width_px, self.height_l0 / height_px
        block = max(
            1, int(BLOCK_PX * self.levels[self._best_level(min(step_x, step_y))].downsample / max(step_x, step_y))
        )
        whole = np.empty((height_px, width_px, 3), np.uint8)
        for top in range(0, height_px, block):
            for left in range(0, width_px, block):
                part = whole[top : top + block, left : left + block]
                rows, cols = part.shape[:2]
                part[:] = self.read_box(
                    left * step_x, top * step_y, cols * step_x, rows * step_y, width_px=cols, height_px=rows
                )
        return whole

    def close(self) -> None:
        """Release the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _best_level(self, downsample: float) -> int:
        fine_enough = [
            i for i, level in enumerate(self.levels) if level.downsample <= downsample * (1 + LEVEL_TOLERANCE)
        ]
        return max(fine_enough, key=lambda i: self.levels[i].downsample, default=0)

    def _read(self, level: int, x_l0: int, y_l0: int, width: int, height: int) -> Image.Image:
        try:
            return self._source.read(level, x_l0, y_l0, width, height)
        except OpenSlideError as error:
            raise SlideError(
                f"slide {self.slide_id} ({self.path}): {width} x {height} px of level {level} at level-0 position "
                f"({x_l0}, {y_l0}) cannot be read: {error}. The file is damaged or cut short: copy it again, "
                "or set on_bad_slide: exclude."
            ) from error


def open_slide(path: str | Path, *, slide_id: str, mpp: float | None = None) -> SlideReader:
    """Open a slide or an image for reading.

    Parameters
    ----------
    path
        Anything OpenSlide reads, or a PNG, JPEG, WebP, BMP or TIFF image.
    slide_id
        Name used in messages.
    mpp
        um per level-0 pixel; overrules the file.  None takes the file's.

    Raises
    ------
    SlideError
        If there is no such file, it cannot be read, or its pixels are not square.
    MissingMppError
        If neither ``mpp`` nor the file gives a pixel size that a microscope can have.
    ConfigError
        If ``mpp`` is not a positive number.
    """
    if mpp is not None and not (math.isfinite(mpp) and mpp > 0):
        raise ConfigError(f"slide {slide_id}: mpp is {mpp}; expected a positive number of micrometres per pixel.")
    file = Path(path)
    source = _open_source(file, slide_id)
    try:
        return SlideReader(source, file, slide_id=slide_id, mpp=_choose_mpp(source, slide_id, file, mpp))
    except BaseException:
        source.close()
        raise


def _open_source(path: Path, slide_id: str) -> PixelSource:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise SlideError(f"slide {slide_id} ({path}): {READABLE}; found {found}. Mend the path in the sheet.")
    try:
        return OpenSlideSource(path) if detect_vendor(path) else ImageSource(path)
    except (OpenSlideError, *UNREADABLE) as error:
        raise SlideError(
            f"slide {slide_id} ({path}): {READABLE}; it cannot be opened: {error}. "
            "Copy or convert it again, or set on_bad_slide: exclude."
        ) from error


def _choose_mpp(source: PixelSource, slide_id: str, path: Path, mpp: float | None) -> float:
    if mpp is not None:
        return float(mpp)
    stated = plausible_mpp(source.file_mpp)
    if stated is None:
        says = "no pixel size" if source.file_mpp is None else f"{source.file_mpp[0]:g} um/px, not a microscope's"
        raise MissingMppError(
            f"slide {slide_id} ({path}): the file states {says}. Write its um/px in column `mpp` of the sheet "
            "(or give --mpp-slide to `abignet tile`, --mpp to `abignet segment`)."
        )
    if not is_square(stated):
        raise SlideError(
            f"slide {slide_id} ({path}): pixels are not square, {stated[0]:g} um in x and {stated[1]:g} um in y. "
            "Expected a difference of at most 1 %: resample the image, or write the right um/px in column `mpp`."
        )
    return (stated[0] + stated[1]) / 2


def _whole(*lengths_px: float) -> bool:
    return all(abs(length - round(length)) < EXACT_PX for length in lengths_px)
