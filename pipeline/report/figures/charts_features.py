"""Plots of features: how far classes and patients explain them."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure as Canvas

from pipeline.report.figures.figure_style import ACCENT, CATEGORICAL, DASHES, MUTED, house_style, single_plot

MOST_BARS = 15


@house_style()
def separating_features(table: pd.DataFrame, oriented: Sequence[bool]) -> Canvas:
    """Bars of the share that the class explains, one row a feature; a ring marks what patients of one class explain.

    Parameters
    ----------
    table
        ``feature``, ``class_omega`` and ``patient_omega``, in the order of the rows.
    oriented
        Which of them are of the axes of nuclei; these stand in another colour.
    """
    drawn, axes = single_plot(6.4, 0.24 * len(table) + 0.9)
    rows = range(len(table))
    colours = [CATEGORICAL[1] if is_oriented else ACCENT for is_oriented in oriented]
    axes.barh(rows, table["class_omega"].clip(lower=0), height=0.62, color=colours, alpha=0.85, linewidth=0)
    known = table["patient_omega"].notna().to_numpy()
    if known.any():
        places = [row for row, is_known in zip(rows, known, strict=True) if is_known]
        axes.plot(table["patient_omega"][known].clip(lower=0), places, "o", mfc="none", color=MUTED, markersize=5)
    axes.axvline(0, color=MUTED, linewidth=0.9, linestyle=DASHES)
    axes.set_yticks(rows, list(table["feature"]))
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("share of variation explained (omega squared)")
    axes.grid(visible=False, axis="y")
    return drawn
