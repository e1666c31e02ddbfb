"""From the frame of a file of nuclei to that of the slide's tables.

Frames: ``_um`` and ``_l0`` as in ``pipeline.units``; ``file`` is that of the file, see ``FoundNuclei``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float64s
from pipeline.artefacts.foreign_nuclei.found_nuclei import FoundNuclei
from pipeline.errors import ImportedFileError

MPP_AT_1X = 10.0
"""um per pixel at magnification 1, by convention; scanners differ from it by some per cent."""

LARGEST_DEVIATION = 0.25
"""Share by which a scanner's pixel may differ from the convention before magnifications say nothing."""


@dataclass(frozen=True)
class FileFrame:
    """Where the pixels or micrometres of a file lie.

    Attributes
    ----------
    um_per_unit
        um of one unit of the file.
    origin_um
        The file's origin (x, y) in the frame of the slide's tables.
    """

    um_per_unit: float
    origin_um: tuple[float, float]

    def um_from_file(self, points: Float64s) -> Float64s:
        """Points (n, 2) in the frame of the slide's tables."""
        moved: Float64s = points * self.um_per_unit + np.array(self.origin_um)
        return moved


def file_frame(found: FoundNuclei, header: Mapping[str, Any], path: str | Path) -> FileFrame:
    """Frame of the file at ``path`` of the slide of a tile table with ``header``.

    A table of a slide-less cohort has its own origin, which its bounds name.

    Raises
    ------
    ImportedFileError
        If the file's magnification does not fit the slide's pixels.
    """
    mpp = float(header["slide_mpp"])
    is_shifted = found.origin == "scanned part" or header.get("without_slide", False)
    corner = header["bounds_l0"][:2] if is_shifted else (0, 0)
    um_per_unit = 1.0 if found.unit == "um" else mpp * _l0_per_px(found, mpp, path)
    return FileFrame(um_per_unit, (corner[0] * mpp, corner[1] * mpp))


def _l0_per_px(found: FoundNuclei, slide_mpp: float, path: str | Path) -> float:
    """Level-0 pixels in a pixel of the file: a power of two, since slides are scanned at 20x, 40x or 80x."""
    if found.magnification is None:
        return 1.0
    nominal = MPP_AT_1X / found.magnification / slide_mpp
    power = 2.0 ** round(math.log2(nominal))
    if abs(nominal / power - 1) > LARGEST_DEVIATION:
        raise ImportedFileError(
            f"{path}: nuclei were found at magnification {found.magnification:g}, whose pixels do not fit those of the "
            f"slide ({slide_mpp:g} um): expected a ratio near a power of two, found {nominal:.3g}. Convert the "
            "coordinates to pixels of level 0 and give them as a table with x_px and y_px."
        )
    return power
