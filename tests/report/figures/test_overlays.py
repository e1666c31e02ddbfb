import io

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles
from pipeline.report.contents.graph_statistics import ImageGraph
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.figures.colour_wheel import UNDIRECTED_COLOUR, orientation_colours
from pipeline.report.figures.overlays import (
    BOW,
    Field,
    bowed,
    densest_field,
    graph_field,
    graph_picture,
    nuclei_picture,
    overview_picture,
    paled,
    read_field,
)
from pipeline.slides.reader import open_slide
from tests.report.results_tree import nuclei_frame, tile_frame


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_axis_colours_come_back_after_half_a_turn_and_differ_at_right_angles() -> None:
    angles = np.linspace(0, np.pi, 13)
    colours = orientation_colours(angles)
    np.testing.assert_allclose(colours, orientation_colours(angles + np.pi), atol=1e-9)
    np.testing.assert_allclose(colours[0], colours[-1], atol=1e-9)
    assert np.abs(colours - orientation_colours(angles + np.pi / 2)).max(axis=1).min() > 0.2
    assert ((colours >= 0) & (colours <= 1)).all()


def test_an_undefined_axis_is_grey() -> None:
    assert orientation_colours(np.array([np.nan])).tolist() == [list(UNDIRECTED_COLOUR)]


def test_field_converts_level_0_to_its_pixels() -> None:
    field = Field(100, 200, 400, 300, 0.5)
    assert field.shape == (150, 200)
    assert field.px_from_l0(np.array([[100.0, 200.0], [500.0, 500.0]])).tolist() == [[0, 0], [200, 150]]


def test_densest_field_lies_on_the_tile_with_most_nuclei(standard_run: ReportSources) -> None:
    tiles = read_tiles(standard_run.tiles["s00"]).frame
    places = np.array([[60.0, 60.0], [125.0, 122.0], [127.0, 124.0], [129.0, 126.0]])
    nuclei = nuclei_frame(*places.T, np.zeros(4), np.array([6, 12, 12, 12]))
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        field = densest_field(slide, tiles, nuclei, side_um=50, side_px=100)
        assert field is not None
        assert (field.x_l0 + field.width_l0 / 2, field.y_l0 + field.height_l0 / 2) == (254, 248)
        whole = densest_field(slide, tiles, nuclei, side_um=1000, side_px=100)
        assert whole is not None
        assert (whole.x_l0, whole.y_l0) == (0, 0)
        assert densest_field(slide, tiles, nuclei.iloc[:0], side_um=50, side_px=100) is None
        dropped = tile_frame(np.zeros(25, bool))
        assert densest_field(slide, dropped, nuclei, side_um=50, side_px=100) is None


def test_outlines_lie_where_the_nuclei_are(standard_run: ReportSources) -> None:
    nuclei = read_nuclei(standard_run.nuclei["s00"]).frame.iloc[:1].assign(orientation_rad=np.nan)
    x, y = nuclei[["x_um", "y_um"]].to_numpy()[0] / 0.5
    field = Field(x - 30, y - 30, 60, 60, 5.0)
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        content, n_drawn = nuclei_picture(slide, field, nuclei)
        plain = paled(read_field(slide, field)).astype(int)
    assert n_drawn == 1
    changed = np.abs(decoded(content) - plain).max(axis=2) > 40
    changed[250:] = False  # the scale bar
    rows, cols = np.nonzero(changed)
    # The outline of a 9 by 5 um ellipse: no point nearer than 2.5 um or farther than 4.5 um from its centre.
    distance_um = np.hypot(rows - 150, cols - 150) / 5.0 * 0.5
    assert changed.any()
    assert distance_um.min() > 2.0
    assert distance_um.max() < 5.0


def test_graph_edges_are_drawn_heaviest_first_up_to_a_number() -> None:
    corners = np.array([[0, 0], [200, 0], [0, 200]])
    ends = np.array([[0, 1, 0, 2], [1, 0, 2, 0]])
    learned = LearnedGraph(ends, np.array([0.9, 0.9, 0.2, 0.2], np.float32), np.ones(4, bool))
    image = ImageGraph("s", "a", "a", learned, corners, 100.0)
    field = graph_field(image, 300)
    assert (field.x_l0, field.width_l0, field.shape) == (-50, 400, (300, 300))
    content, n_drawn, n_kept = graph_picture(image, field, None, max_edges=1, strongest=1.0)
    assert (n_drawn, n_kept) == (1, 2)
    picture = decoded(content)
    at = {
        "heavy": field.px_from_l0(np.array([[150.0, 50.0 + 200 * BOW]]))[0],
        "light": field.px_from_l0(np.array([[50.0 - 200 * BOW, 150.0]]))[0],
    }
    assert picture[int(at["heavy"][1]), int(at["heavy"][0])].max() < 80
    assert picture[int(at["light"][1]), int(at["light"][0])].min() > 200


def test_arcs_keep_their_ends_and_bow_by_a_share_of_their_length() -> None:
    (arc,) = bowed(np.array([[[0.0, 0.0], [100.0, 0.0]]]))
    np.testing.assert_allclose(arc[[0, -1]], [[0, 0], [100, 0]], atol=1e-9)
    np.testing.assert_allclose(arc[6], [50, 100 * BOW])
    assert bowed(np.zeros((0, 2, 2))).shape == (0, 13, 2)


def test_one_patch_without_width_can_be_drawn() -> None:
    empty = LearnedGraph(np.zeros((2, 0), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))
    image = ImageGraph("s", "a", "a", empty, np.array([[7, 9]]), None)
    content, n_drawn, n_kept = graph_picture(image, graph_field(image, 200), None, max_edges=5, strongest=0.0)
    assert (n_drawn, n_kept) == (0, 0)
    assert decoded(content).shape == (200, 200, 3)


def test_large_fields_are_cut_from_a_thumbnail(standard_run: ReportSources, monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field(96, 96, 288, 240, 0.25)
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        direct = read_field(slide, field).astype(int)
        monkeypatch.setattr("pipeline.report.figures.overlays.MOST_PIXELS_AT_ONCE", 10)
        cut = read_field(slide, field).astype(int)
    assert cut.shape == direct.shape == (60, 72, 3)
    assert np.abs(cut - direct).mean() < 3


def test_overviews_shrink_but_never_grow() -> None:
    pixels = np.zeros((40, 100, 3), np.uint8)
    assert decoded(overview_picture(pixels, 50)).shape == (20, 50, 3)
    assert decoded(overview_picture(pixels, 500)).shape == (40, 100, 3)
