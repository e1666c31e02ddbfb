import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from pipeline.report.figures.charts_cohort import MOST_DOTS, patches_per_image
from pipeline.report.figures.figure_style import CATEGORICAL

PATCHES = {"benign": [9, 1, 4], "malignant": [30, 10, 20, 10]}


def axes_of(patches: dict[str, list[int]], few: int = 8) -> Axes:
    (axes,) = patches_per_image(patches, few).axes
    return axes


def dots(axes: Axes) -> list[tuple[list[float], float, str]]:
    """Values, mean height and colour of each row of dots."""
    lines = [line for line in axes.lines if line.get_marker() == "o" and line.get_alpha() is not None]
    return [(list(line.get_xdata()), float(np.mean(line.get_ydata())), line.get_color()) for line in lines]


def test_every_image_is_a_dot_in_the_row_and_colour_of_its_class() -> None:
    axes = axes_of(PATCHES)
    assert [(values, colour) for values, _, colour in dots(axes)] == [
        ([1, 4, 9], CATEGORICAL[0]),
        ([10, 10, 20, 30], CATEGORICAL[1]),
    ]
    assert [height for _, height, _ in dots(axes)] == pytest.approx([0, 1], abs=0.2)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["benign", "malignant"]
    assert list(axes.get_yticks()) == [0, 1]
    assert axes.yaxis_inverted(), "the first class on top"


def test_medians_are_those_of_the_classes() -> None:
    medians = [line for line in axes_of(PATCHES).lines if line.get_linewidth() == 2.0]
    assert [tuple(line.get_xdata()) for line in medians] == [(4, 4), (15, 15)]


def test_the_bound_of_the_warning_is_dashed_and_counts_begin_at_0() -> None:
    axes = axes_of(PATCHES, few=7)
    (bound,) = (line for line in axes.lines if line.is_dashed())
    assert list(bound.get_xdata()) == [7, 7]
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] >= 30


@pytest.mark.parametrize(("more", "n_rows"), [(0, 1), (1, 0)])
def test_many_images_are_drawn_as_a_box_and_its_outliers(more: int, n_rows: int) -> None:
    axes = axes_of({"a": [5] * (MOST_DOTS - 1 + more) + [100]})
    assert len(dots(axes)) == n_rows
    outliers = [line for line in axes.lines if line.get_markersize() == 2 and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in outliers] == [[100]] * more
    assert all(to_rgba(line.get_markeredgecolor()) == to_rgba(CATEGORICAL[0]) for line in outliers)
