"""Colours of axial directions, and their legend."""

import numpy as np
from matplotlib.figure import Figure as Canvas

from pipeline.arrays import Float64s
from pipeline.report.figures.figure_style import house_style, single_plot

LIGHTNESS, CHROMA = 0.80, 0.15
"""Of all directions, in OKLab; some hues lie a little beyond sRGB and are clipped."""

LMS_ROOTS_FROM_OKLAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
RGB_FROM_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
"""From OKLab to linear sRGB (Ottosson 2020, "A perceptual color space for image processing")."""

UNDIRECTED_COLOUR = (0.45, 0.45, 0.45)
"""Nuclei without a measured axis."""


def orientation_colours(angle_rad: Float64s) -> Float64s:
    """RGB (n, 3) in [0, 1] of axial directions: hue goes round once per half turn.

    In OKLab the hue is twice the angle, while ``LIGHTNESS`` and ``CHROMA`` stay; NaN, an axis that is not defined, is
    grey.
    """
    hue = 2.0 * np.asarray(angle_rad, np.float64)
    lab = np.stack([np.full(hue.shape, LIGHTNESS), CHROMA * np.cos(hue), CHROMA * np.sin(hue)])
    linear = np.clip(RGB_FROM_LMS @ (LMS_ROOTS_FROM_OKLAB @ lab) ** 3, 0.0, 1.0).T
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.where(np.isnan(hue)[:, None], UNDIRECTED_COLOUR, rgb)


@house_style()
def orientation_wheel(n_wedges: int = 72) -> Canvas:
    """Colour of each axial direction, as it lies on the page: half a turn brings the same colour back."""
    edges = np.linspace(0.0, 2 * np.pi, n_wedges + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    drawn, axes = single_plot(1.35, 1.35)
    for start, end, colour in zip(edges[:-1], edges[1:], orientation_colours(middles), strict=True):
        turn = np.linspace(start, end + 0.01, 4)
        xs = np.concatenate([np.cos(turn), 0.55 * np.cos(turn[::-1])])
        ys = np.concatenate([np.sin(turn), 0.55 * np.sin(turn[::-1])])
        axes.fill(xs, ys, color=colour, linewidth=0)
    for angle, text in ((0.0, "0°"), (np.pi / 4, "45°"), (np.pi / 2, "90°"), (3 * np.pi / 4, "135°")):
        axes.text(1.28 * np.cos(angle), 1.28 * np.sin(angle), text, ha="center", va="center", fontsize=7.5)
    # Tables and pictures have y pointing down.
    axes.set_ylim(1.5, -1.2)
    axes.set_xlim(-1.5, 1.5)
    axes.set_aspect("equal")
    axes.axis("off")
    return drawn
