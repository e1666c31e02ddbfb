"""One look for all figures, and bytes that depend on nothing but the figure.

Figures are drawn in ``INK`` and ``GRID`` on a transparent ground; the page replaces both
by its own colours, so that plots follow a dark page.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from pipeline.arrays import Rgb
from pipeline.artefacts.csv_files import FLOAT_FORMAT

INK = "#1f2937"
MUTED = "#6b7280"
GRID = "#d5dae1"
ACCENT = "#0072b2"

CATEGORICAL = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a4f", "#8c8c8c")
"""Okabe and Ito (2008), told apart with colour-blind eyes; yellow and black left out for light and dark pages."""

SEQUENTIAL = "viridis"

SMALLEST_SCALE = 1e-9
"""Guard: a scale of colours or widths ends no lower, also where all values are 0."""

PRINT_DPI = 300
"""Of plots as PNG, at the size in which they are drawn."""

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
    "pdf.fonttype": 42,
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
    drawn
        The plot, which is written in other formats too; None of a picture.
    source
        What the plot was drawn from; None of pictures and legends.
    """

    name: str
    kind: Literal["svg", "png"]
    content: bytes
    caption: str
    alt: str
    drawn: Canvas | None = field(default=None, compare=False, repr=False)
    source: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    @property
    def formats(self) -> tuple[str, ...]:
        """Endings of its files in ``figures/``."""
        plots = () if self.drawn is None else ("png", "pdf")
        return (self.kind, *plots, *(() if self.source is None else ("csv",)))


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


def plot_figure(name: str, drawn: Canvas, caption: str, alt: str, source: pd.DataFrame | None = None) -> Figure:
    """A plot as a figure of the page; see ``Figure``."""
    return Figure(name, "svg", svg_bytes(drawn), caption, alt, drawn, source)


@house_style()
def figure_files(figure: Figure) -> dict[str, bytes]:
    """Files of a figure by name: as it is on the page, plots also at print size, and what they were drawn from."""
    files = {f"{figure.name}.{figure.kind}": figure.content}
    if figure.drawn is not None:
        for kind, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None, "Creator": None})):
            stream = io.BytesIO()
            figure.drawn.savefig(stream, format=kind, dpi=PRINT_DPI, facecolor="white", metadata=metadata)
            files[f"{figure.name}.{kind}"] = stream.getvalue()
    if figure.source is not None:
        text = figure.source.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n")
        files[f"{figure.name}.csv"] = text.encode()
    return files


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
    """SVG element for the page: no prolog, no metadata, its title, ids of its own, the page's colours."""
    text = figure.content.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)  # a hundredth of a point
    text = re.sub(r'\bid="', f'id="{figure.name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{figure.name}-", text)
    for drawn, shown in PAGE_COLOURS.items():
        text = text.replace(drawn, shown)
    text = re.sub(r"(<svg[^>]*>)", lambda found: f"{found[1]}<title>{escape(figure.alt)}</title>", text, count=1)
    return re.sub(r'(<svg[^>]*?) width="([\d.]+)pt" height="[\d.]+pt"', r'\1 style="max-width: \2pt"', text, count=1)


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Colour of each name, repeating after the palette's end."""
    return {name: CATEGORICAL[index % len(CATEGORICAL)] for index, name in enumerate(names)}
