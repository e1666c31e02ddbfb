import io

import numpy as np
import pytest
from PIL import Image

from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.figures.field_of_view import FieldOfView, draw_scale_bar, overview_picture, read_field
from pipeline.report.figures.figure_style import picture_canvas
from pipeline.slides.reader import open_slide


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_level_0_becomes_pixels_of_the_picture() -> None:
    field = FieldOfView(100, 200, 400, 300, 0.5)
    assert field.shape == (150, 200)
    assert field.px_from_l0(np.array([[100.0, 200.0], [500.0, 500.0]])).tolist() == [[0, 0], [200, 150]]


def test_a_field_of_less_than_a_pixel_is_one_pixel() -> None:
    assert FieldOfView(0, 0, 3, 400, 0.1).shape == (40, 1)


WITHIN = FieldOfView(96, 96, 288, 240, 0.25)
BEYOND_THE_TOP_LEFT = FieldOfView(-96, -48, 288, 240, 0.25)
BEYOND_THE_BOTTOM_RIGHT = FieldOfView(288, 336, 384, 288, 0.25)


@pytest.mark.parametrize("field", [WITHIN, BEYOND_THE_TOP_LEFT, BEYOND_THE_BOTTOM_RIGHT])
def test_large_fields_are_cut_from_a_thumbnail(
    standard_run: ReportSources, monkeypatch: pytest.MonkeyPatch, field: FieldOfView
) -> None:
    with open_slide(standard_run.slides[0].path, slide_id="s00", mpp=0.5) as slide:
        direct = read_field(slide, field).astype(int)
        monkeypatch.setattr("pipeline.report.figures.field_of_view.MOST_PIXELS_AT_ONCE", 10)
        cut = read_field(slide, field).astype(int)
    assert cut.shape == direct.shape == (*field.shape, 3)
    assert np.abs(cut - direct).mean() < 3


def test_overviews_shrink_but_never_grow() -> None:
    pixels = np.zeros((40, 100, 3), np.uint8)
    assert decoded(overview_picture(pixels, 50)).shape == (20, 50, 3)
    assert decoded(overview_picture(pixels, 500)).shape == (40, 100, 3)


@pytest.mark.parametrize(
    ("scale", "mpp", "length_px", "text"),
    [
        (2.0, 0.5, 80, "20 µm"),  # 4 px a um: at most 28 um
        (0.05, 0.25, 100, "500 µm"),  # 0.2 px a um: at most 560 um
        (0.05, 0.5, 100, "1 mm"),  # 0.1 px a um: at most 1120 um
    ],
)
def test_a_scale_bar_is_as_long_as_it_says(scale: float, mpp: float, length_px: float, text: str) -> None:
    field = FieldOfView(0, 0, 400 / scale, 300 / scale, scale)
    _, axes = picture_canvas(np.zeros((300, 400, 3), np.uint8))
    draw_scale_bar(axes, field, mpp)
    assert [label.get_text() for label in axes.texts] == [text]
    for line in axes.lines:
        left, right = line.get_xdata()
        assert right - left == pytest.approx(length_px)
        assert left > 0
        assert 280 < line.get_ydata()[0] < 300
