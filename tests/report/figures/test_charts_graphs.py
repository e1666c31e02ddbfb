import numpy as np
import pytest

from pipeline.report.contents.graph_statistics import WEIGHT_BINS, GraphSummary
from pipeline.report.figures.charts_graphs import strength_scale, weight_histogram
from pipeline.report.figures.figure_style import CATEGORICAL, svg_bytes


def summary(counts: dict[int, int]) -> GraphSummary:
    """Graphs of whose kept edges ``counts`` lie in a bin."""
    histogram = np.zeros(len(WEIGHT_BINS) - 1, np.int64)
    for place, count in counts.items():
        histogram[place] = count
    return GraphSummary(1, None, None, None, None, None, histogram)


def test_shares_are_of_the_edges_of_a_class() -> None:
    (axes,) = weight_histogram({"a": summary({2: 3, 39: 1}), "none": summary({}), "b": summary({0: 50})}).axes
    a, b = axes.patches
    np.testing.assert_allclose(a.get_data().values[[2, 39]], [0.75, 0.25])
    assert a.get_data().values.sum() == pytest.approx(1)
    assert b.get_data().values[0] == 1
    np.testing.assert_allclose(a.get_data().edges[[0, 2, -1]], [0, 0.05, 1])
    assert [text.get_text() for text in axes.get_legend().texts] == ["a", "b"]
    assert axes.get_yscale() == "log"
    assert axes.get_xlim() == (0, 1)


def test_classes_keep_their_colours_beside_one_without_edges() -> None:
    (axes,) = weight_histogram({"none": summary({}), "b": summary({0: 50})}).axes
    (b,) = axes.patches
    assert b.get_edgecolor()[:3] == pytest.approx([int(CATEGORICAL[1][i : i + 2], 16) / 255 for i in (1, 3, 5)])


@pytest.mark.parametrize("counts", [{2: 1, 4: 3, 6: 6}, {2: 100_000, 6: 1}])
def test_shares_are_written_as_plain_numbers(counts: dict[int, int]) -> None:
    text = svg_bytes(weight_histogram({"a": summary(counts)})).decode()
    assert "mathdefault" not in text
    assert ">0.1</text>" in text
    assert (">0.5</text>" in text) is (len(counts) == 3), "labels between powers of ten on a short axis alone"


@pytest.mark.parametrize(("highest", "end"), [(2.5, 2.5), (0.0, 1e-9)])
def test_the_scale_goes_from_0_to_the_highest_strength(highest: float, end: float) -> None:
    (axes,) = strength_scale(highest).axes
    assert axes.get_xlim() == pytest.approx((0, end))
    assert "strength" in axes.get_xlabel()
