"""Plots of what a model's evidence and graphs have in common."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from PIL import Image

from pipeline.arrays import Float64s, Rgb
from pipeline.artefacts.faithfulness import DIRECTIONS, EVIDENCE, RANDOM, WEIGHT
from pipeline.report.figures.figure_style import CATEGORICAL, DASHES, canvas, house_style

ORDER_STYLES = {EVIDENCE: (CATEGORICAL[0], "-"), WEIGHT: (CATEGORICAL[1], "-"), RANDOM: (CATEGORICAL[7], DASHES)}
"""Colour and line of each order."""

ORDER_NAMES = {EVIDENCE: "by evidence", WEIGHT: "by weight", RANDOM: "by chance"}

MOST_SHOWN_LOG2 = 3.0
"""Colours of motifs end at eight times as much, or as little, as by chance."""

DARK_LOG2 = 1.6
"""Beyond it cells are so dark that their numbers are white."""

KIND_COLOURS = 128
"""Colours of a sheet of example patches."""


@house_style()
def faithfulness_curves(curves: pd.DataFrame) -> Canvas:
    """Mean probability of the predicted class: a row a part, deletion beside insertion, a line an order.

    Parameters
    ----------
    curves
        Table ``curves`` of ``artefacts.interpretation``.
    """
    parts = list(dict.fromkeys(curves["part"]))
    drawn = canvas(6.4, 2.3 * len(parts))
    panels = drawn.subplots(len(parts), 2, squeeze=False, sharex=True, sharey=True)
    for row, part in zip(panels, parts, strict=True):
        for axes, direction in zip(row, DIRECTIONS, strict=True):
            shown = curves[(curves["part"] == part) & (curves["direction"] == direction)]
            for order, line in shown.groupby("order", sort=False):
                colour, style = ORDER_STYLES[str(order)]
                label = ORDER_NAMES[str(order)]
                axes.plot(line["fraction"], line["probability_mean"], color=colour, linestyle=style, label=label)
            axes.set_title(f"{part}: {direction}")
            axes.set_ylim(0, 1)
        row[0].set_ylabel("probability of the call")
    for axes in panels[-1]:
        axes.set_xlabel("share gone" if axes is panels[-1][0] else "share there")
    panels[0][1].legend(loc="lower right")
    return drawn


@house_style()
def motif_matrices(motifs: pd.DataFrame, n_kinds: int) -> Canvas:
    """Enrichment of every two kinds, a matrix a class; pairs with q of 0.05 and above are left pale.

    Parameters
    ----------
    motifs
        Table ``motifs`` of ``artefacts.interpretation``.
    """
    labels = list(dict.fromkeys(motifs["label"]))
    drawn = canvas(2.7 * len(labels) + 0.9, 2.9)
    panels = drawn.subplots(1, len(labels), squeeze=False)[0]
    for axes, label in zip(panels, labels, strict=True):
        ratio, certain = _matrices(motifs[motifs["label"] == label], n_kinds)
        picture = axes.imshow(
            ratio, cmap="RdBu_r", vmin=-MOST_SHOWN_LOG2, vmax=MOST_SHOWN_LOG2, alpha=np.where(certain, 1.0, 0.25)
        )
        for one, other in zip(*np.isfinite(ratio).nonzero(), strict=True):
            value = float(ratio[one, other])
            ink = "white" if certain[one, other] and abs(value) > DARK_LOG2 else "#111827"
            axes.text(other, one, f"{value:+.1f}", ha="center", va="center", fontsize=6.5, color=ink)
        axes.set_title(label)
        axes.set_xticks(range(n_kinds), [str(kind + 1) for kind in range(n_kinds)])
        axes.set_yticks(range(n_kinds), [str(kind + 1) for kind in range(n_kinds)])
        axes.set_xlabel("kind")
        axes.grid(visible=False)
    panels[0].set_ylabel("kind")
    drawn.colorbar(picture, ax=list(panels), label="log2 of weight over chance", shrink=0.85)
    return drawn


def _matrices(motifs: pd.DataFrame, n_kinds: int) -> tuple[Float64s, Float64s]:
    ratio, certain = np.full((n_kinds, n_kinds), np.nan), np.zeros((n_kinds, n_kinds))
    one, other = motifs["one"].to_numpy(), motifs["other"].to_numpy()
    for matrix, values in ((ratio, motifs["log2_ratio"]), (certain, motifs["q"] < 0.05)):
        matrix[one, other] = matrix[other, one] = values.to_numpy()
    return ratio, certain


def patch_rows(rows: Sequence[Sequence[Rgb]], side_px: int) -> bytes:
    """PNG of patches in rows, each uint8 (side_px, side_px, 3), 2 px apart on white."""
    step, longest = side_px + 2, max((len(row) for row in rows), default=0)
    sheet = np.full((max(1, len(rows) * step), max(1, longest * step), 3), 255, np.uint8)
    for top, row in enumerate(rows):
        for left, patch in enumerate(row):
            sheet[top * step : top * step + side_px, left * step : left * step + side_px] = patch
    stream = io.BytesIO()
    Image.fromarray(sheet).quantize(KIND_COLOURS).save(stream, "PNG", optimize=True)
    return stream.getvalue()
