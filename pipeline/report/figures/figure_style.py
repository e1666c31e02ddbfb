"""One look for all figures, and bytes that depend on nothing but the figure.

Figures are drawn in ``INK`` and ``GRID`` on a transparent ground; the page replaces both
by its own colours, so that plots follow a dark page.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from pipeline.arrays import Rgb

INK = "#1f2937"
MUTED = "#6b7280"
GRID = "#d5dae1"
ACCENT = "#0072b2"

CATEGORICAL = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a4f", "#8c8c8c")
"""Okabe and Ito (2008), told apart with colour-blind eyes; yellow and black left out for light and dark pages."""

SEQUENTIAL = "viridis"

SMALLEST_SCALE = 1e-9
"""Guard: a scale of colours or widths ends no lower, also where all values are 0."""

DASHES = (0, (4, 3))
"""Line of what a value is held against: a guess, a bound, the diagonal."""

RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.parse_math": False,  # names of classes may hold a dollar sign
    "svg.fonttype": "none",
    "svg.hashsalt": "abignet",
}

PAGE_COLOURS = {INK: "currentColor", GRID: "var(--line)", MUTED: "var(--muted)", ACCENT: "var(--series)"}
"""Colours of a figure and what the page puts in their place."""


@dataclass(frozen=True)
class Figure:
    """A drawn figure.

    Attributes
    ----------
    name
        File stem in ``figures/``; unique on a page.
    kind
        ``svg`` for plots, ``png`` for pictures.
    content
        The file's bytes.
    caption
        What it shows and over what n.
    alt
        Short description for those who cannot see it.
    """

    name: str
    kind: Literal["svg", "png"]
    content: bytes
    caption: str
    alt: str

    @property
    def file_name(self) -> str:
        """Name in ``figures/``."""
        return f"{self.name}.{self.kind}"


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with matplotlib's defaults and ``RC`` alone, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def canvas(width_in: float, height_in: float) -> Canvas:
    """Figure whose parts are laid out without overlap, in inches."""
    return Canvas(figsize=(width_in, height_in), layout="constrained")


def single_plot(width_in: float, height_in: float) -> tuple[Canvas, Axes]:
    """Figure with one pair of axes, in inches."""
    drawn = canvas(width_in, height_in)
    return drawn, drawn.subplots()


def plot_figure(name: str, drawn: Canvas, caption: str, alt: str) -> Figure:
    """A plot as a figure of the page; see ``Figure``."""
    return Figure(name, "svg", svg_bytes(drawn), caption, alt)


@house_style()
def svg_bytes(drawn: Canvas) -> bytes:
    """SVG without date or program name."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def png_bytes(drawn: Canvas, dpi: float = 100.0) -> bytes:
    """PNG without program name."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def picture_canvas(pixels: Rgb) -> tuple[Canvas, Axes]:
    """Figure of exactly the size of ``pixels`` (h, w, 3) at 100 dpi, with axes in its pixels, y down."""
    height, width = pixels.shape[:2]
    drawn = Canvas(figsize=(width / 100, height / 100), dpi=100)
    axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="nearest", aspect="auto")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return drawn, axes


def inline_svg(figure: Figure) -> str:
    """SVG element for the page: no prolog, no metadata, ids of its own, the page's colours."""
    text = figure.content.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{figure.name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{figure.name}-", text)
    for drawn, shown in PAGE_COLOURS.items():
        text = text.replace(drawn, shown)
    return re.sub(r'(<svg[^>]*?) width="([\d.]+)pt" height="[\d.]+pt"', r'\1 style="max-width: \2pt"', text, count=1)


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Colour of each name, repeating after the palette's end."""
    return {name: CATEGORICAL[index % len(CATEGORICAL)] for index, name in enumerate(names)}
