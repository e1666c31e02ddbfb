"""Colours of axial directions, and their legend."""

import numpy as np
import numpy.typing as npt

from pipeline.report.figures.figure_style import canvas, house_style, svg_bytes

UNDIRECTED_COLOUR = (0.45, 0.45, 0.45)
"""Nuclei without a measured axis."""


def orientation_colours(angle_rad: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """RGB (n, 3) in [0, 1] of axial directions: hue goes round once per half turn, lightness stays.

    OKLCH (Ottosson 2020) with lightness 0.80, chroma 0.15 and hue twice the angle;
    NaN, an axis that is not defined, is grey.
    """
    hue = 2.0 * np.asarray(angle_rad, np.float64)
    a, b = 0.15 * np.cos(hue), 0.15 * np.sin(hue)
    cone = np.stack(
        [
            0.80 + 0.3963377774 * a + 0.2158037573 * b,
            0.80 - 0.1055613458 * a - 0.0638541728 * b,
            0.80 - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(to_rgb @ cone**3, 0.0, 1.0).T
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.where(np.isnan(hue)[:, None], UNDIRECTED_COLOUR, rgb)


def orientation_wheel(n_wedges: int = 72) -> bytes:
    """Colour of each axial direction, as it lies on the page: half a turn brings the same colour back."""
    edges = np.linspace(0.0, 2 * np.pi, n_wedges + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    with house_style():
        drawn = canvas(1.35, 1.35)
        axes = drawn.subplots()
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
        return svg_bytes(drawn)
