import numpy as np
import shapely
from PIL import Image

from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.figures.colour_wheel import orientation_colours
from pipeline.report.figures.field_of_view import FieldOfView, read_field
from pipeline.report.figures.figure_style import picture_canvas
from pipeline.report.figures.nuclei_closeup import PALE, densest_field, draw_outlines, nuclei_in, nuclei_picture, paled
from pipeline.slides.reader import open_slide
from tests.report.figures.test_field_of_view import decoded
from tests.report.slide_tables import nuclei_frame, tile_frame

BLANK = np.full((100, 100, 3), 255, np.uint8)


def test_the_densest_field_lies_on_the_tile_with_most_nuclei(standard_run: ReportSources) -> None:
    tiles = read_tiles(standard_run.tiles["s00"]).frame
    places = np.array([[60.0, 60.0], [125.0, 122.0], [127.0, 124.0], [129.0, 126.0]])
    nuclei = nuclei_frame(*places.T, np.zeros(4), np.array([6, 12, 12, 12]))
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        field = densest_field(slide, tiles, nuclei, side_um=50, side_px=100)
        assert field == FieldOfView(254 - 50, 248 - 50, 100, 100, 1.0)
        dropped = densest_field(slide, tile_frame(np.arange(25) == 6), nuclei, side_um=50, side_px=100)
        assert dropped == FieldOfView(120 - 50, 120 - 50, 100, 100, 1.0)
        assert densest_field(slide, tiles, nuclei.iloc[:0], side_um=50, side_px=100) is None
        assert densest_field(slide, tile_frame(np.zeros(25, bool)), nuclei, side_um=50, side_px=100) is None


def test_of_two_tiles_as_dense_the_first_is_shown_and_the_field_stays_on_the_slide(standard_run: ReportSources) -> None:
    tiles = tile_frame(np.ones(25, bool))
    nuclei = nuclei_frame(np.array([239.0, 2.0]), np.array([238.0, 3.0]), np.zeros(2), np.array([24, 0]))
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        first = densest_field(slide, tiles, nuclei, side_um=50, side_px=100)
        last = densest_field(slide, tiles, nuclei[:1], side_um=50, side_px=100)
        whole = densest_field(slide, tiles, nuclei[:1], side_um=1000, side_px=100)
    assert first is not None
    assert last is not None
    assert whole is not None
    assert (first.x_l0, first.y_l0) == (0, 0)
    assert (last.x_l0, last.y_l0) == (480 - 100, 480 - 100)
    assert (whole.x_l0, whole.y_l0, whole.width_l0) == (0, 0, 2000)


def test_nuclei_of_a_field_are_those_with_their_centroid_in_it() -> None:
    field = FieldOfView(20, 40, 100, 50, 2.0)  # 10 to 60 by 20 to 45 um
    x, y = np.array([[10, 20], [9.9, 20], [59.9, 44.9], [60, 30], [30, 45], [30, 19.9]]).T
    nuclei = nuclei_frame(x, y, np.zeros(6), np.zeros(6, int))
    assert nuclei_in(field, nuclei, 0.5)["nucleus_id"].tolist() == [0, 2]


def test_outlines_lie_where_the_nuclei_are(standard_run: ReportSources) -> None:
    nuclei = read_nuclei(standard_run.nuclei["s00"]).frame.iloc[:1].assign(orientation_rad=np.nan)
    x, y = nuclei[["x_um", "y_um"]].to_numpy()[0] / 0.5
    field = FieldOfView(x - 30, y - 30, 60, 60, 5.0)
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


def test_every_ring_has_the_colour_of_its_nucleus() -> None:
    angles = np.array([0.0, np.pi / 2, np.nan])
    nuclei = nuclei_frame(np.array([10.0, 20.0, 30.0]), np.full(3, 25.0), np.zeros(3), np.zeros(3, int))
    nuclei["orientation_rad"] = angles
    two = shapely.MultiPolygon([shapely.box(18, 23, 19, 24), shapely.box(21, 26, 22, 27)])
    nuclei.loc[1, "contour_um"] = shapely.to_wkb(two)
    _, axes = picture_canvas(BLANK)
    colours = orientation_colours(nuclei["orientation_rad"].to_numpy())
    draw_outlines(axes, FieldOfView(0, 0, 100, 100, 1.0), nuclei, 0.5, colours)
    dark, coloured = axes.collections
    for drawn in (dark, coloured):
        boxes = [path.get_extents().bounds for path in drawn.get_paths()]
        np.testing.assert_allclose(boxes[1:3], [[36, 46, 2, 2], [42, 52, 2, 2]])
    expected = orientation_colours(angles[[0, 1, 1, 2]])
    np.testing.assert_allclose(coloured.get_edgecolor()[:, :3], expected)
    assert dark.get_linewidth()[0] > coloured.get_linewidth()[0]


def test_tissue_is_paled_towards_its_own_grey() -> None:
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    expected = [(1 - PALE) * value + PALE * grey for value in (200, 100, 50)]
    np.testing.assert_allclose(paled(np.array([[[200, 100, 50]]], np.uint8))[0, 0], expected, atol=1)
    even = np.asarray(Image.new("RGB", (3, 3), (120, 120, 120)))
    np.testing.assert_allclose(paled(even), even, atol=1)


def test_a_picture_of_no_nucleus_is_the_tissue_alone(standard_run: ReportSources) -> None:
    nuclei = read_nuclei(standard_run.nuclei["s00"]).frame.iloc[:0]
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        content, n_drawn = nuclei_picture(slide, FieldOfView(0, 0, 100, 100, 1.0), nuclei)
    assert n_drawn == 0
    assert decoded(content).shape == (100, 100, 3)
