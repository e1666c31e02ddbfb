"""Plots of the cohort."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas

from pipeline.report.figures.figure_style import DASHES, INK, colours_of, house_style, single_plot

MOST_DOTS = 400
"""With more images the boxes alone are drawn."""


@house_style()
def patches_per_image(patches: Mapping[str, Sequence[int]], few: int) -> Canvas:
    """Patches of every image, a row of dots and a box (quartiles, whiskers of 1.5 IQR) per class.

    Parameters
    ----------
    patches
        Numbers of patches by class.
    few
        Below this number a line warns.
    """
    colours = colours_of(list(patches))
    n_images = sum(map(len, patches.values()))
    drawn, axes = single_plot(6.4, 0.5 * len(patches) + 0.85)
    for row, (name, counts) in enumerate(patches.items()):
        box = {"color": INK, "linewidth": 1.0}
        axes.boxplot(
            [list(counts)], positions=[row], orientation="horizontal", widths=0.5, showfliers=n_images > MOST_DOTS,
            boxprops=box, whiskerprops=box, capprops=box, medianprops={"color": INK, "linewidth": 2.0},
            flierprops={"markersize": 2, "markeredgecolor": colours[name]},
        )  # fmt: skip
        if n_images <= MOST_DOTS:
            offsets = (np.arange(len(counts)) % 7 - 3) * 0.055
            axes.plot(
                sorted(counts), row + offsets, "o", color=colours[name], alpha=0.6, markersize=4, markeredgewidth=0
            )
    axes.axvline(few, color=INK, linewidth=0.9, linestyle=DASHES)
    axes.set_yticks(range(len(patches)), list(patches))
    axes.set_ylim(len(patches) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("patches in the graph of an image")
    axes.grid(visible=False, axis="y")
    return drawn
