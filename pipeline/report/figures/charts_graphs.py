"""Plots of learned graphs, and the legend of their pictures."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pipeline.report.contents.graph_statistics import WEIGHT_BINS, GraphSummary
from pipeline.report.figures.figure_style import SEQUENTIAL, SMALLEST_SCALE, colours_of, house_style, single_plot

MOST_LABELLED = 100
"""Ratio of the ends of a logarithmic axis below which it has labels between powers of ten."""


@house_style()
def weight_histogram(summaries: Mapping[str, GraphSummary]) -> Canvas:
    """Share of kept edges by weight, one line a class, shares on a logarithmic axis."""
    colours = colours_of(list(summaries))
    drawn, axes = single_plot(5.2, 2.6)
    for name, summary in summaries.items():
        total = int(summary.histogram.sum())
        if total:
            axes.stairs(summary.histogram / total, WEIGHT_BINS, color=colours[name], linewidth=1.6, label=name)
    axes.set_yscale("log")
    _label_shares(axes)
    axes.set_xlim(0, 1)
    axes.set_xlabel("weight of a kept edge")
    axes.set_ylabel("share of kept edges")
    axes.legend(loc="upper right")
    return drawn


def _label_shares(axes: Axes) -> None:
    """Plain numbers at powers of ten, and at 2 and 5 times them where the axis spans few."""
    low, high = axes.get_ylim()
    plain = FuncFormatter(lambda share, _: f"{share:g}")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter(plain if high < MOST_LABELLED * low else NullFormatter())


@house_style()
def strength_scale(highest: float) -> Canvas:
    """Colour bar of node strength from 0 to ``highest``."""
    drawn, axes = single_plot(3.4, 0.62)
    bar = ScalarMappable(Normalize(0.0, max(highest, SMALLEST_SCALE)), SEQUENTIAL)
    drawn.colorbar(bar, cax=axes, orientation="horizontal", label="strength: summed weight of a patch's kept edges")
    axes.grid(visible=False)
    return drawn
