"""Plots of training: losses and accuracies against the epoch."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from pipeline.report.figures.figure_style import CATEGORICAL, canvas, house_style

SERIES_COLOURS = {
    "lower": CATEGORICAL[0],
    "train": CATEGORICAL[0],
    "upper": CATEGORICAL[1],
    "structure": CATEGORICAL[1],
    "select": CATEGORICAL[2],
    "mean": CATEGORICAL[3],
}
"""The two levels and the selection set keep their colour from figure to figure."""


PANELS = {"loss": "_loss", "accuracy": "_accuracy", "neighbours of a patch": "_degree"}
"""Title of each panel and the ending of the columns in it; a panel without values stays empty."""


def curve_columns(history: pd.DataFrame, ending: str) -> list[str]:
    """Columns of a history that end in ``ending`` (``_loss``, ``_accuracy``) and hold a value."""
    return [name for name in history.columns if name.endswith(ending) and history[name].notna().any()]


MOST_LINES = 20
"""Thin lines of a series, those of the first seeds and folds; more are one grey band and most of the page's bytes."""


@house_style()
def learning_curves(history: pd.DataFrame) -> Canvas:
    """One panel per kind of column against the epoch: thin lines are folds (means over their graph
    models), the bold line their mean.

    Parameters
    ----------
    history
        Columns ``epoch``, ``seed``, ``fold`` and those of ``PANELS``.
    """
    panels = [(title, curve_columns(history, ending)) for title, ending in PANELS.items()]
    drawn = canvas(2.15 * len(PANELS), 2.0)
    for axes, (title, columns) in zip(drawn.subplots(1, len(PANELS)), panels, strict=True):
        if columns:
            _draw_series(axes, history, columns, title)
        else:
            # An empty place keeps the panels of all methods equally large.
            axes.axis("off")
    return drawn


def _draw_series(axes: Axes, history: pd.DataFrame, columns: Sequence[str], title: str) -> None:
    spare = [colour for colour in CATEGORICAL if colour not in SERIES_COLOURS.values()]
    for column in columns:
        name = column.rpartition("_")[0]
        colour = SERIES_COLOURS.get(name) or spare[sorted(columns).index(column) % len(spare)]
        for _, run in [*history.groupby(["seed", "fold", "stage"], sort=True)][:MOST_LINES]:
            line = run.groupby("epoch")[column].mean()
            axes.plot(line.index.to_numpy(), line.to_numpy(), color=colour, linewidth=0.6, alpha=0.4)
        mean = history.groupby("epoch")[column].mean()
        axes.plot(mean.index.to_numpy(), mean.to_numpy(), color=colour, linewidth=1.9, label=name)
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if len(columns) > 1:
        axes.legend(loc="best", handlelength=1.2)
