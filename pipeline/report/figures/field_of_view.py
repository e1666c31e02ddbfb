"""A box of a slide as a picture.

Frame of a picture: its pixels, (x, y), y down; ``FieldOfView`` converts to it.
"""

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from pipeline.arrays import Float64s, Rgb
from pipeline.pictures import round_length_um
from pipeline.slides.reader import SlideReader

MOST_PIXELS_AT_ONCE = 64_000_000
"""Guard: a box of more source pixels is cut from a thumbnail, which is read in blocks."""

SCALE_BAR_SHARE = 0.28
"""A scale bar is at most this share of the picture's width."""


@dataclass(frozen=True)
class FieldOfView:
    """Box of a slide shown as a picture.

    Attributes
    ----------
    x_l0, y_l0, width_l0, height_l0
        The box in level-0 pixels.
    scale
        Picture pixels per level-0 pixel.
    """

    x_l0: float
    y_l0: float
    width_l0: float
    height_l0: float
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return max(1, round(self.height_l0 * self.scale)), max(1, round(self.width_l0 * self.scale))

    def px_from_l0(self, points: Float64s) -> Float64s:
        """Picture (x, y) of level-0 (x, y), float64 (n, 2)."""
        moved: Float64s = (points - np.array([self.x_l0, self.y_l0])) * self.scale
        return moved


@dataclass(frozen=True)
class BlankSlide:
    """White ground in place of a slide that nuclei came without.

    Attributes
    ----------
    mpp
        um per level-0 pixel.
    width_l0, height_l0
        Of the nuclei's extent.
    """

    mpp: float
    width_l0: int
    height_l0: int


Ground = SlideReader | BlankSlide


def read_field(slide: Ground, field: FieldOfView) -> Rgb:
    """Pixels of a field, uint8 (h, w, 3); white beyond the slide.

    Raises
    ------
    SlideError
        If the slide is damaged there.
    """
    height, width = field.shape
    if isinstance(slide, BlankSlide):
        return np.full((height, width, 3), 255, np.uint8)
    downsample = 1 / field.scale
    finest = max((level.downsample for level in slide.levels if level.downsample <= downsample), default=1.0)
    if field.width_l0 * field.height_l0 / finest**2 <= MOST_PIXELS_AT_ONCE:
        box = (field.x_l0, field.y_l0, field.width_l0, field.height_l0)
        return slide.read_box(*box, width_px=width, height_px=height)
    whole = Image.fromarray(slide.thumbnail(slide.mpp * downsample))
    shrink = np.array([whole.width / slide.width_l0, whole.height / slide.height_l0] * 2)
    corners = np.array([field.x_l0, field.y_l0, field.x_l0 + field.width_l0, field.y_l0 + field.height_l0])
    left, top, right, bottom = np.rint(corners * shrink).astype(int).tolist()
    cut = Image.new("RGB", (max(1, right - left), max(1, bottom - top)), "white")
    cut.paste(whole, (-left, -top))
    return np.asarray(cut.resize((width, height)), np.uint8)


def overview_picture(pixels: Rgb, longer_px: int) -> bytes:
    """PNG of an overview, made smaller so that its longer side is at most ``longer_px``."""
    height, width = pixels.shape[:2]
    factor = min(1.0, longer_px / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def draw_scale_bar(axes: Axes, field: FieldOfView, slide_mpp: float) -> None:
    """Draw a bar of round length with its length in words into the lower left corner of a picture.

    Parameters
    ----------
    axes
        In pixels of the picture of ``field``.
    slide_mpp
        um per level-0 pixel.
    """
    height, width = field.shape
    px_per_um = field.scale / slide_mpp
    length_um = round_length_um(SCALE_BAR_SHARE * width / px_per_um)
    text = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    left, bottom = 12.0, height - 14.0
    ends = [left, left + length_um * px_per_um]
    axes.plot(ends, [bottom, bottom], color="white", linewidth=6.0, solid_capstyle="butt", zorder=5)
    axes.plot(ends, [bottom, bottom], color="#111827", linewidth=3.0, solid_capstyle="butt", zorder=6)
    axes.text(
        left,
        bottom - 7,
        text,
        fontsize=8.5 * max(1.0, width / 480),
        fontweight="bold",
        color="#111827",
        zorder=6,
        va="bottom",
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
    )
