"""Plots of results: folds, confusion, ROC and reliability."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from sklearn.metrics import roc_auc_score, roc_curve

from pipeline.arrays import Float64s, Int64s
from pipeline.report.contents.method_results import Reliability, Results
from pipeline.report.contents.wording import title
from pipeline.report.figures.figure_style import (
    ACCENT,
    CATEGORICAL,
    DASHES,
    INK,
    MUTED,
    canvas,
    colours_of,
    house_style,
    single_plot,
)


@house_style()
def fold_dots(
    results: Results, methods: Sequence[str], metrics: Sequence[str], chance: Mapping[str, float], reference: str
) -> Canvas:
    """Every fold's value as a dot, mean and SD beside it, one row a method and one panel a metric.

    Parameters
    ----------
    methods
        In the order of the rows, best first.
    chance
        Value of a guess by metric, drawn as a dashed line.
    reference
        Method in the accent colour.
    """
    drawn = canvas(2.9 * len(metrics) + 1.2, 0.36 * len(methods) + 0.9)
    panels = np.atleast_1d(drawn.subplots(1, len(metrics), sharey=True))
    for axes, metric in zip(panels, metrics, strict=True):
        for row, method in enumerate(methods):
            colour = ACCENT if method == reference else MUTED
            _draw_folds(axes, row, results, method, metric, colour)
        if metric in chance:
            axes.axvline(chance[metric], color=MUTED, linewidth=0.9, linestyle=DASHES)
        axes.set_title(title(metric))
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.06)
    panels[0].set_yticks(range(len(methods)), list(methods))
    panels[0].set_ylim(len(methods) - 0.4, -0.6)
    return drawn


def _draw_folds(axes: Axes, row: int, results: Results, method: str, metric: str, colour: str) -> None:
    values = results.fold_values(method, metric)
    spread = results.spread(method, metric)
    # Fixed offsets keep equal values apart and every run of the report the same.
    offsets = (np.arange(len(values)) % 5 - 2) * 0.07
    axes.plot(values, row + offsets, "o", color=colour, alpha=0.55, markersize=4.5, markeredgewidth=0)
    if spread.mean is not None:
        if spread.sd is not None:
            axes.plot([spread.mean - spread.sd, spread.mean + spread.sd], [row, row], color=colour, linewidth=1.4)
        axes.plot([spread.mean] * 2, [row - 0.28, row + 0.28], color=colour, linewidth=2.4)


@house_style()
def confusion_matrix(counts: Int64s, classes: Sequence[str]) -> Canvas:
    """True class down, predicted class across; cells show the count and the share of their row.

    Parameters
    ----------
    counts
        int64 (n_classes, n_classes).
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    n = len(classes)
    drawn, axes = single_plot(0.72 * n + 1.5, 0.58 * n + 1.0)
    axes.grid(visible=False)
    for (row, col), share in np.ndenumerate(shares):
        _draw_cell(axes, row, col, int(counts[row, col]), share)
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)
    longest = max(map(len, classes))
    axes.set_xticks(range(n), classes, rotation=0 if longest < 9 else 35, ha="center" if longest < 9 else "right")
    axes.set_yticks(range(n), classes)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    return drawn


def _draw_cell(axes: Axes, row: int, col: int, count: int, share: float) -> None:
    axes.fill(
        [col - 0.48, col + 0.48, col + 0.48, col - 0.48],
        [row - 0.48, row - 0.48, row + 0.48, row + 0.48],
        color=CATEGORICAL[0],
        alpha=0.06 + 0.88 * share,
        linewidth=0,
    )
    colour = "white" if share > 0.55 else INK
    axes.text(col, row - 0.11, f"{count:,}", ha="center", va="center", color=colour, fontsize=10, fontweight="bold")
    axes.text(col, row + 0.24, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=7.5)


@house_style()
def roc(probabilities: Float64s, labels: npt.NDArray[np.object_], classes: Sequence[str]) -> Canvas:
    """One-against-rest ROC curve of each class that has images inside and outside it.

    Parameters
    ----------
    probabilities
        (n, n_classes) in the order of ``classes``.
    labels
        (n,).
    """
    colours = colours_of(classes)
    drawn, axes = single_plot(3.5, 3.3)
    curves = []
    shown = _drawn_against_the_rest(labels, classes)
    points = roc_points(probabilities, labels, classes)
    for name in shown:
        area = roc_auc_score(labels == name, probabilities[:, list(classes).index(name)])
        curve = points[points["class"] == name]
        rates = curve["false_positive_rate"].to_numpy(), curve["true_positive_rate"].to_numpy()
        curves += axes.plot(*rates, color=colours[name], linewidth=1.6, label=f"{name} ({area:.3f})")
    _draw_diagonal(axes)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    if shown:
        # Given names: matplotlib leaves those that begin with "_" out of the legends it gathers.
        names = [str(curve.get_label()) for curve in curves]
        axes.legend(
            curves, names, loc="lower right", title="area under the curve", title_fontsize=8.5, alignment="left"
        )
    axes.set_aspect("equal")
    return drawn


def roc_points(probabilities: Float64s, labels: npt.NDArray[np.object_], classes: Sequence[str]) -> pd.DataFrame:
    """Points of the curves of ``roc``: ``class``, ``false_positive_rate``, ``true_positive_rate``, ``threshold``."""
    columns = ["class", "false_positive_rate", "true_positive_rate", "threshold"]
    curves = [pd.DataFrame(columns=columns)]
    for name in _drawn_against_the_rest(labels, classes):
        rates = roc_curve(labels == name, probabilities[:, list(classes).index(name)])
        curves.append(pd.DataFrame({"class": name, **dict(zip(columns[1:], rates, strict=True))}))
    return pd.concat(curves[1:] or curves, ignore_index=True)


def _drawn_against_the_rest(labels: npt.NDArray[np.object_], classes: Sequence[str]) -> list[str]:
    """Classes with images inside and outside; of two, the second, since the first's curve is its turned round."""
    shown = classes[-1:] if len(classes) == 2 else classes
    return [name for name in shown if 0 < (labels == name).sum() < len(labels)]


@house_style()
def reliability_curve(binned: Reliability) -> Canvas:
    """Share of right answers against confidence; area of a dot is the number of images in the bin."""
    drawn, axes = single_plot(3.5, 3.3)
    _draw_diagonal(axes)
    axes.plot(binned.confidence, binned.accuracy, color=ACCENT, linewidth=1.2)
    sizes = 15 + 220 * binned.count / max(int(binned.count.max()), 1)
    axes.scatter(binned.confidence, binned.accuracy, s=sizes, color=ACCENT, alpha=0.75, linewidths=0)
    for x, y, count in zip(binned.confidence, binned.accuracy, binned.count, strict=True):
        axes.annotate(str(count), (x, y), xytext=(0, -15), textcoords="offset points", fontsize=7.5, ha="center")
    axes.set_xlabel("confidence (largest probability)")
    axes.set_ylabel("share predicted right")
    axes.set_xlim(0, 1.04)
    axes.set_ylim(-0.08, 1.06)
    return drawn


def _draw_diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=DASHES)
