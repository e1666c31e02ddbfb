import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from pipeline.report.contents.method_results import Reliability, Results, SeedMetrics
from pipeline.report.figures.charts_results import confusion_matrix, fold_dots, reliability_curve, roc
from pipeline.report.figures.figure_style import ACCENT, CATEGORICAL, INK, MUTED, svg_bytes

FOLDS = {"weak": [0.5, 0.6, 0.4], "strong": [0.9, 0.8, 1.0]}


@pytest.fixture
def results() -> Results:
    """Two methods of three folds."""
    metrics = {
        (method, 0): SeedMetrics(
            method, 0, pd.DataFrame({"fold": range(3), "accuracy": values, "auroc": np.nan}), {}, {}, {}, {}
        )
        for method, values in FOLDS.items()
    }
    return Results(metrics, {}, {}, pd.DataFrame())


def of_method(axes: Axes, row: int) -> list[tuple[list[float], list[float]]]:
    """Points of what is drawn in a row: dots, the line of the SD, the stroke of the mean."""
    points = [(list(map(float, line.get_xdata())), list(map(float, line.get_ydata()))) for line in axes.lines]
    return [(xs, ys) for xs, ys in points if abs(np.mean(ys) - row) < 0.2 and not (xs[0] == xs[-1] and ys == [0, 1])]


def test_dots_are_folds_with_their_mean_and_sd(results: Results) -> None:
    (axes,) = fold_dots(results, ["strong", "weak"], ["accuracy"], {}, "weak").axes
    for row, method in enumerate(("strong", "weak")):
        values = FOLDS[method]
        dots, spread, mean = of_method(axes, row)
        assert dots[0] == values
        np.testing.assert_allclose(
            spread[0], [np.mean(values) - np.std(values, ddof=1), np.mean(values) + np.std(values, ddof=1)]
        )
        assert spread[1] == [row, row]
        np.testing.assert_allclose(mean[0], [np.mean(values)] * 2)
        assert mean[1] == [row - 0.28, row + 0.28]


def test_rows_read_from_the_top_in_the_order_given_and_the_reference_is_set_off(results: Results) -> None:
    (axes,) = fold_dots(results, ["strong", "weak"], ["accuracy"], {}, "weak").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["strong", "weak"]
    assert list(axes.get_yticks()) == [0, 1]
    assert axes.yaxis_inverted()
    assert [line.get_color() for line in axes.lines] == [MUTED] * 3 + [ACCENT] * 3


def test_a_panel_a_metric_with_the_line_of_a_guess_where_there_is_one(results: Results) -> None:
    accuracy, auroc = fold_dots(results, ["strong"], ["accuracy", "auroc"], {"auroc": 0.5}, "strong").axes
    assert [axes.get_title(loc="left") for axes in (accuracy, auroc)] == ["accuracy", "AUROC"]
    assert not [line for line in accuracy.lines if line.is_dashed()]
    (guess,) = (line for line in auroc.lines if line.is_dashed())
    assert list(guess.get_xdata()) == [0.5, 0.5]
    assert all(len(line.get_xdata()) == 0 for line in auroc.lines if line is not guess), "undefined values have no dot"


def cells(axes: Axes) -> dict[tuple[int, int], list[str]]:
    """Texts of each cell by (x, y) of its middle."""
    texts: dict[tuple[int, int], list[str]] = {}
    for label in axes.texts:
        x, y = label.get_position()
        texts.setdefault((round(x), round(y)), []).append(label.get_text())
    return texts


def test_true_classes_go_down_and_predicted_ones_across() -> None:
    (axes,) = confusion_matrix(np.array([[1500, 500], [0, 0]]), ("a", "b")).axes
    assert cells(axes) == {(0, 0): ["1,500", "75%"], (1, 0): ["500", "25%"], (0, 1): ["0", "0%"], (1, 1): ["0", "0%"]}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.yaxis_inverted(), "the first true class on top"
    assert not axes.xaxis_inverted()
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["a", "b"]


def test_the_share_of_the_true_class_is_the_depth_of_a_cell_and_its_text_stays_legible() -> None:
    (axes,) = confusion_matrix(np.array([[6, 4], [1, 9]]), ("a", "b")).axes
    depth = {tuple(np.rint(cell.get_xy()[:4].mean(axis=0)).astype(int)): cell.get_alpha() for cell in axes.patches}
    shares = {(0, 0): 0.6, (1, 0): 0.4, (0, 1): 0.1, (1, 1): 0.9}
    assert depth == pytest.approx({cell: 0.06 + 0.88 * share for cell, share in shares.items()})
    for cell in axes.patches:
        np.testing.assert_allclose(np.ptp(cell.get_xy(), axis=0), [0.96, 0.96])
    inks = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_color() for t in axes.texts}
    assert inks == {(0, 0): "white", (1, 0): INK, (0, 1): INK, (1, 1): "white"}


@pytest.mark.parametrize(("name", "turned"), [("eight888", 0), ("nine99999", 35)])
def test_long_names_of_classes_are_turned(name: str, turned: float) -> None:
    (axes,) = confusion_matrix(np.eye(2, dtype=np.int64), ("a", name)).axes
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {turned}


SCORES = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.65, 0.35]])
LABELS = np.array(["a", "a", "b", "b"], object)


def curves(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
        if not line.is_dashed()
    }


def test_with_two_classes_the_second_is_drawn_against_the_first() -> None:
    (axes,) = roc(SCORES, LABELS, ("a", "b")).axes
    # By score of b: 0.7 (b), 0.4 (a), 0.35 (b), 0.1 (a): three of four pairs in order.
    assert curves(axes) == {"b (0.750)": ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])}
    (line,) = (line for line in axes.lines if not line.is_dashed())
    assert line.get_color() == CATEGORICAL[1]
    (diagonal,) = (line for line in axes.lines if line.is_dashed())
    assert (list(diagonal.get_xdata()), list(diagonal.get_ydata())) == ([0, 1], [0, 1])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("false positive rate", "true positive rate")
    assert axes.get_aspect() == 1


def test_of_more_classes_each_that_has_images_inside_and_outside_is_drawn_by_its_own_score() -> None:
    scores = np.concatenate([SCORES[:, ::-1], np.zeros((4, 1))], axis=1)
    (axes,) = roc(scores, LABELS, ("b", "a", "absent")).axes
    assert list(curves(axes)) == ["b (0.750)", "a (0.750)"]
    (alone,) = roc(SCORES, np.array(["a"] * 4, object), ("a", "b", "c")).axes
    assert curves(alone) == {}
    assert alone.get_legend() is None


def test_reliability_is_accuracy_against_confidence_with_the_number_of_images() -> None:
    binned = Reliability(np.array([0.55, 0.95]), np.array([0.25, 1.0]), np.array([4, 8]))
    (axes,) = reliability_curve(binned).axes
    (dots,) = axes.collections
    np.testing.assert_allclose(dots.get_offsets(), [[0.55, 0.25], [0.95, 1.0]])
    np.testing.assert_allclose(dots.get_sizes(), [15 + 110, 15 + 220])
    assert [(label.get_text(), label.xy) for label in axes.texts] == [("4", (0.55, 0.25)), ("8", (0.95, 1.0))]
    assert to_hex(dots.get_facecolor()[0]) == ACCENT
    assert axes.get_xlabel().startswith("confidence")
    assert axes.get_xlim()[0] <= 0 < 1 <= axes.get_xlim()[1]
    assert axes.get_ylim()[0] <= 0 < 1 <= axes.get_ylim()[1]


@pytest.mark.parametrize("name", ["_neg", "$a$b", "<b>", "$\\frac"])
def test_a_class_of_any_name_stands_in_the_legend(name: str) -> None:
    drawn = roc(SCORES, np.where(LABELS == "a", name, LABELS).astype(object), ("b", name))
    (axes,) = drawn.axes
    assert [text.get_text().startswith(f"{name} (") for text in axes.get_legend().get_texts()] == [True]
    assert name.replace("<", "&lt;").replace(">", "&gt;") in svg_bytes(drawn).decode()
