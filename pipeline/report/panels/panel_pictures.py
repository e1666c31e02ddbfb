"""Pictures of a panel, as WebP."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from pipeline.arrays import Float64s, Int64s, Rgb
from pipeline.errors import MissingMppError, SlideError
from pipeline.report.figures.field_of_view import FieldOfView, read_field
from pipeline.report.panels.panel_subjects import PanelSubject
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import SlideReader, open_slide

PATCH_PX = 72
"""Side of a patch in the sheet of patches."""

PATCHES_ABREAST = 12
"""Patches in a row of that sheet."""

TISSUE_QUALITY, PATCH_QUALITY = 68, 62
"""Of WebP, 0 to 100; chosen by eye on stained tissue, below which nuclei lose their rims."""

MARGIN = 0.02
"""Round what is shown, as a share of its longer side."""


class PanelPictures:
    """Pictures taken of one slide.

    Attributes
    ----------
    slide
        The open slide; None of one that came without, or that cannot be read.
    files
        WebP by name.
    fault
        Why a picture is missing, else "".
    """

    def __init__(self, slide: SlideReader | None, fault: str = "") -> None:
        self.slide, self.fault = slide, fault
        self.files: dict[str, bytes] = {}

    def take(self, name: str, field: FieldOfView) -> str | None:
        """Name of the picture of a field; None, and the fault noted, where there is none."""
        if self.slide is None:
            return None
        try:
            self.files[name] = webp(read_field(self.slide, field), TISSUE_QUALITY)
        except SlideError as error:
            self.fault = self.fault or str(error)
            return None
        return name

    def take_patches(self, name: str, corners_l0: Int64s, width_l0: float) -> str | None:
        """Name of the sheet of patches, see ``patch_sheet``; None, and the fault noted, where there is none."""
        if self.slide is None or not width_l0 or not len(corners_l0):
            return None
        try:
            self.files[name] = webp(patch_sheet(self.slide, corners_l0, width_l0), PATCH_QUALITY)
        except SlideError as error:
            self.fault = self.fault or str(error)
            return None
        return name


@contextmanager
def pictures_of(subject: PanelSubject) -> Iterator[PanelPictures]:
    """Take pictures of a slide, which is closed at the end."""
    row = subject.summary.row
    if row.path is None:
        yield PanelPictures(None)
        return
    mpp = subject.summary.slide_mpp or row.mpp
    try:
        slide = open_slide(row.path, slide_id=row.slide_id, mpp=mpp, mpp_range=ANY_MPP)
    except (SlideError, MissingMppError) as error:
        yield PanelPictures(None, str(error))
        return
    with slide:
        yield PanelPictures(slide)


def webp(pixels: Rgb, quality: int) -> bytes:
    """A picture as WebP; the same pixels give the same bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=quality, method=4)
    return stream.getvalue()


def field_of_boxes(corners_l0: Float64s, width_l0: Float64s, longer_px: int) -> FieldOfView:
    """Field round all boxes, its longer side ``longer_px`` or less where the slide has no more pixels.

    Parameters
    ----------
    corners_l0
        float64 (n, 2), n > 0, top-left corners.
    width_l0
        float64 (n,), their sides.
    """
    low, high = corners_l0.min(axis=0), (corners_l0 + width_l0[:, None]).max(axis=0)
    margin = max(MARGIN * float((high - low).max()), 1.0)
    width, height = (float(side) + 2 * margin for side in high - low)
    scale = min(longer_px / max(width, height), 1.0)
    return FieldOfView(float(low[0]) - margin, float(low[1]) - margin, width, height, scale)


def field_of_slide(slide: SlideReader, longer_px: int) -> FieldOfView:
    """The scanned part of a slide, its longer side ``longer_px`` or less."""
    x, y, width, height = slide.bounds_l0
    return FieldOfView(x, y, width, height, min(longer_px / max(width, height), 1.0))


def patch_sheet(slide: SlideReader, corners_l0: Int64s, width_l0: float) -> Rgb:
    """Patches side by side, ``PATCHES_ABREAST`` a row, each ``PATCH_PX`` wide.

    Parameters
    ----------
    corners_l0
        int64 (n, 2), n > 0.

    Raises
    ------
    SlideError
        If one of them cannot be read.
    """
    rows = math.ceil(len(corners_l0) / PATCHES_ABREAST)
    sheet = np.full((rows * PATCH_PX, PATCHES_ABREAST * PATCH_PX, 3), 255, np.uint8)
    for place, (x, y) in enumerate(corners_l0.tolist()):
        top, left = (part * PATCH_PX for part in divmod(place, PATCHES_ABREAST))
        patch = slide.read_box(x, y, width_l0, width_l0, width_px=PATCH_PX, height_px=PATCH_PX)
        sheet[top : top + PATCH_PX, left : left + PATCH_PX] = patch
    return sheet
