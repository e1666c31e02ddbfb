import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.axes import Axes

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.report.contents.graph_statistics import ImageGraph
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.figures.figure_style import picture_canvas
from pipeline.report.figures.graph_overlay import BOW, FADE, bowed, draw_graph, graph_field, graph_picture
from pipeline.slides.reader import open_slide
from tests.report.figures.test_field_of_view import decoded

CORNERS = np.array([[0, 0], [200, 0], [0, 200]])


def image(
    edges: list[tuple[int, int, float]], corners: np.ndarray = CORNERS, width: float | None = 100.0
) -> ImageGraph:
    ends = np.array([edge[:2] for edge in edges], np.int64).reshape(-1, 2).T
    weight = np.array([edge[2] for edge in edges], np.float32)
    return ImageGraph("s", "a", "a", LearnedGraph(ends, weight, np.ones(len(edges), bool)), corners, width)


LEARNED = image([(0, 1, 0.9), (1, 0, 0.9), (0, 2, 0.3), (2, 0, 0.3)])


def drawn_axes(shown: ImageGraph, max_edges: int, strongest: float = 1.2) -> tuple[Axes, tuple[int, int]]:
    field = graph_field(shown, 400)
    _, axes = picture_canvas(np.full((*field.shape, 3), 255, np.uint8))
    return axes, draw_graph(axes, shown, field, max_edges=max_edges, strongest=strongest)


def test_the_field_holds_all_patches_and_half_a_patch_of_margin() -> None:
    field = graph_field(LEARNED, 300)
    assert (field.x_l0, field.y_l0, field.width_l0, field.height_l0, field.shape) == (-50, -50, 400, 400, (300, 300))
    wide = graph_field(image([], np.array([[100, 50], [1000, 50]])), 550)
    assert (wide.x_l0, wide.y_l0, wide.width_l0, wide.height_l0) == (50, 0, 1100, 200)
    assert wide.shape == (100, 550)


def test_patches_edges_and_nodes_lie_where_they_belong() -> None:
    axes, numbers = drawn_axes(LEARNED, max_edges=9)
    assert numbers == (2, 2)
    patches, arcs, nodes = axes.collections
    # Of 400 level-0 pixels that begin at -50, each is one pixel of the picture.
    squares = [path.get_extents().bounds for path in patches.get_paths()]
    np.testing.assert_allclose(squares, [[50, 50, 100, 100], [250, 50, 100, 100], [50, 250, 100, 100]])
    np.testing.assert_allclose(nodes.get_offsets(), [[100, 100], [300, 100], [100, 300]])
    light, heavy = arcs.get_segments()
    np.testing.assert_allclose(heavy[[0, -1]], [[100, 100], [300, 100]])
    np.testing.assert_allclose(light[[0, -1]], [[100, 100], [100, 300]])


def test_weight_shows_as_width_and_opacity_and_strength_as_colour() -> None:
    axes, _ = drawn_axes(LEARNED, max_edges=9, strongest=2.4)
    _, arcs, nodes = axes.collections
    np.testing.assert_allclose(arcs.get_linewidths(), [0.5 + 2.7 / 3, 3.2], rtol=1e-6)
    np.testing.assert_allclose(arcs.get_colors()[:, 3], [0.12 + 0.83 / 3, 0.95], rtol=1e-6)
    # Strengths 0.9 + 0.3, 0.9 and 0.3 on a scale that ends at 2.4.
    np.testing.assert_allclose(nodes.get_facecolor(), colormaps["viridis"](np.array([1.2, 0.9, 0.3]) / 2.4), atol=5e-3)


def test_the_heaviest_pairs_are_drawn_up_to_a_number() -> None:
    axes, numbers = drawn_axes(LEARNED, max_edges=1)
    assert numbers == (1, 2)
    (only,) = axes.collections[1].get_segments()
    np.testing.assert_allclose(only[-1], [300, 100])


def test_a_pair_of_weight_0_is_drawn_thin() -> None:
    axes, numbers = drawn_axes(image([(0, 1, 0.0), (1, 0, 0.0)]), max_edges=5, strongest=0.0)
    assert numbers == (1, 1)
    assert axes.collections[1].get_linewidths() == pytest.approx([0.5])


def test_one_patch_without_width_can_be_drawn() -> None:
    lonely = image([], np.array([[7, 9]]), None)
    picture = graph_picture(lonely, graph_field(lonely, 200), None, max_edges=5, strongest=0.0)
    assert (picture.n_drawn, picture.n_pairs) == (0, 0)
    assert decoded(picture.png).shape == (200, 200, 3)


def test_arcs_keep_their_ends_and_bow_by_a_share_of_their_length() -> None:
    (arc,) = bowed(np.array([[[0.0, 0.0], [100.0, 0.0]]]))
    np.testing.assert_allclose(arc[[0, -1]], [[0, 0], [100, 0]], atol=1e-9)
    np.testing.assert_allclose(arc[6], [50, 100 * BOW])
    np.testing.assert_allclose(arc[3], [25, 75 * BOW])
    assert bowed(np.zeros((0, 2, 2))).shape == (0, 13, 2)


def test_tissue_is_faded_below_the_graph_and_measured_by_a_bar(standard_run: ReportSources) -> None:
    beside = image([], np.array([[0, 0]]), None)
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        field = graph_field(image([]), 200)
        picture = decoded(graph_picture(image([]), field, slide, max_edges=5, strongest=1.0).png)
    assert (
        decoded(graph_picture(beside, graph_field(beside, 200), None, max_edges=5, strongest=1.0).png)[0, 0].tolist()
        == [255] * 3
    )
    # The painted ground (245, 243, 246) and white laid over it.
    np.testing.assert_allclose(picture[30, 90], np.array([245, 243, 246]) * (1 - FADE) + 255 * FADE, atol=2)
    assert picture[-20:, :80].min() < 60
