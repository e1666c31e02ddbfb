"""Pictures of a panel, as WebP."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pipeline.arrays import Float64s, Int64s, Rgb
from pipeline.report.figures.field_of_view import FieldOfView
from pipeline.slides.reader import SlideReader

PATCH_PX = 72
"""Side of a patch in the sheet of patches."""

PATCHES_ABREAST = 12
"""Patches in a row of that sheet."""

TISSUE_QUALITY, PATCH_QUALITY = 68, 62
"""Of WebP, 0 to 100; chosen by eye on stained tissue, below which nuclei lose their rims."""

MARGIN = 0.02
"""Round what is shown, as a share of its longer side."""


def webp(pixels: Rgb, quality: int) -> bytes:
    """A picture as WebP; the same pixels give the same bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=quality, method=4)
    return stream.getvalue()


def field_of_boxes(corners_l0: Float64s, width_l0: Float64s, longer_px: int, mpp_l0_px: float = 1.0) -> FieldOfView:
    """Field round all boxes, its longer side ``longer_px`` or less where the slide has no more pixels.

    Parameters
    ----------
    corners_l0
        float64 (n, 2), n > 0, top-left corners.
    width_l0
        float64 (n,), their sides.
    mpp_l0_px
        Most picture pixels per level-0 pixel.
    """
    low, high = corners_l0.min(axis=0), (corners_l0 + width_l0[:, None]).max(axis=0)
    margin = max(MARGIN * float((high - low).max()), 1.0)
    width, height = (float(side) + 2 * margin for side in high - low)
    scale = min(longer_px / max(width, height), mpp_l0_px)
    return FieldOfView(float(low[0]) - margin, float(low[1]) - margin, width, height, scale)


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


def first_of_each(groups: Sequence[Sequence[int]], most: int) -> list[int]:
    """Members of ``groups`` in order, each once, at most ``most``."""
    return list(dict.fromkeys(member for group in groups for member in group))[:most]
