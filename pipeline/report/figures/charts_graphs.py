"""Plots of learned graphs, and the legend of their pictures."""

from collections.abc import Mapping

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import FuncFormatter

from pipeline.report.contents.graph_statistics import WEIGHT_BINS, GraphSummary
from pipeline.report.figures.figure_style import SEQUENTIAL, canvas, colours_of, house_style, svg_bytes


def weight_histogram(summaries: Mapping[str, GraphSummary]) -> bytes:
    """Share of kept edges by weight, one line a class, shares on a logarithmic axis."""
    colours = colours_of(list(summaries))
    with house_style():
        drawn = canvas(5.2, 2.6)
        axes = drawn.subplots()
        for name, summary in summaries.items():
            total = int(summary.histogram.sum())
            if total:
                axes.stairs(summary.histogram / total, WEIGHT_BINS, color=colours[name], linewidth=1.6, label=name)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
        axes.set_xlim(0, 1)
        axes.set_xlabel("weight of a kept edge")
        axes.set_ylabel("share of kept edges")
        axes.legend(loc="upper right")
        return svg_bytes(drawn)


def strength_scale(highest: float) -> bytes:
    """Colour bar of node strength from 0 to ``highest``."""
    with house_style():
        drawn = canvas(3.4, 0.62)
        axes = drawn.subplots()
        bar = ScalarMappable(Normalize(0.0, max(highest, 1e-9)), SEQUENTIAL)
        drawn.colorbar(bar, cax=axes, orientation="horizontal", label="strength: summed weight of a patch's kept edges")
        axes.grid(visible=False)
        return svg_bytes(drawn)
