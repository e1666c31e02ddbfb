import numpy as np
import pandas as pd
import pytest

from pipeline.report.figures.charts_training import PANELS, SERIES_COLOURS, curve_columns, learning_curves
from pipeline.report.figures.figure_style import CATEGORICAL

HISTORY = pd.DataFrame(
    {
        "seed": [0, 0, 0, 1, 1],
        "fold": [0, 0, 0, 0, 0],
        "model": 0,
        "stage": "fit",
        "epoch": [0, 1, 2, 0, 1],
        "lower_loss": [4.0, 3.0, 2.0, 6.0, 4.0],
        "upper_loss": [8.0, 7.0, 6.0, 5.0, 4.0],
        "select_accuracy": [0.5, 0.6, 0.7, 0.7, 0.8],
        "lower_accuracy": np.nan,
    }
)


def test_curves_take_the_columns_that_hold_values() -> None:
    assert curve_columns(HISTORY, "_loss") == ["lower_loss", "upper_loss"]
    assert curve_columns(HISTORY, "_accuracy") == ["select_accuracy"]
    assert curve_columns(HISTORY, "_degree") == []


def test_a_panel_a_kind_of_column_and_none_where_there_is_no_value() -> None:
    panels = learning_curves(HISTORY).axes
    assert [axes.get_title(loc="left") for axes in panels[:2]] == ["loss", "accuracy"]
    assert [axes.axison for axes in panels] == [True, True, False]
    assert len(panels) == len(PANELS)
    assert {axes.get_xlabel() for axes in panels[:2]} == {"epoch"}
    assert all(tick == int(tick) for tick in panels[0].xaxis.get_major_locator().tick_values(0, 2))


def test_thin_lines_are_runs_and_the_bold_one_is_the_mean_of_those_still_training() -> None:
    loss = learning_curves(HISTORY).axes[0]
    lower = [line for line in loss.lines if line.get_color() == SERIES_COLOURS["lower"]]
    thin, bold = ([line for line in lower if (line.get_linewidth() > 1) is is_bold] for is_bold in (False, True))
    assert [list(line.get_ydata()) for line in thin] == [[4, 3, 2], [6, 4]]
    assert [list(line.get_ydata()) for line in bold] == [[5, 3.5, 2]]
    assert [list(line.get_xdata()) for line in bold] == [[0, 1, 2]]


def test_the_legend_names_series_where_there_are_several() -> None:
    loss, accuracy, _ = learning_curves(HISTORY).axes
    assert [text.get_text() for text in loss.get_legend().texts] == ["lower", "upper"]
    assert accuracy.get_legend() is None


def test_folds_of_one_seed_are_lines_of_their_own() -> None:
    history = HISTORY.assign(seed=0, fold=HISTORY["seed"])
    thin = [line for line in learning_curves(history).axes[1].lines if line.get_linewidth() < 1]
    assert [len(line.get_xdata()) for line in thin] == [3, 2]


@pytest.mark.parametrize("name", ["other", "lower"])
def test_an_unknown_series_has_a_colour_that_no_known_one_has(name: str) -> None:
    history = HISTORY.rename(columns={"lower_loss": f"{name}_loss"}).drop(columns="upper_loss")
    colours = {line.get_color() for line in learning_curves(history).axes[0].lines}
    assert len(colours) == 1
    assert (colours <= set(SERIES_COLOURS.values())) is (name == "lower")
    assert colours <= set(CATEGORICAL)
