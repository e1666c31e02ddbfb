import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.sheet import SlideRow
from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.panels.panel_pictures import PATCH_PX, PATCHES_ABREAST, field_of_boxes, patch_sheet, pictures_of
from pipeline.report.panels.panel_subjects import PanelSubject
from pipeline.slides.reader import open_slide


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """Sixteen columns of 50 px, each of its own red."""
    red = np.repeat(np.arange(16) * 15, 50)
    Image.fromarray(np.stack([np.tile(red, (50, 1))] * 3, axis=-1).astype(np.uint8)).save(tmp_path / "s.png")
    return tmp_path / "s.png"


def subject(path: Path | None) -> PanelSubject:
    row = SlideRow("s", path, mpp=0.5)
    return PanelSubject("run", SlideSummary(row, "no label", slide_mpp=0.5), (), None, None, None)


def test_a_field_holds_all_boxes_with_a_margin_and_no_more_pixels_than_the_slide() -> None:
    corners, sides = np.array([[100.0, 50.0], [300.0, 250.0]]), np.array([10.0, 100.0])
    field = field_of_boxes(corners, sides, 1000)
    margin = 0.02 * 300
    assert (field.x_l0, field.y_l0) == (100 - margin, 50 - margin)
    assert (field.width_l0, field.height_l0) == (300 + 2 * margin, 300 + 2 * margin)
    assert field.scale == 1.0
    assert max(field_of_boxes(corners, sides, 150).shape) == 150


def test_patches_lie_in_the_sheet_in_their_order(slide: Path) -> None:
    corners = np.array([[50 * column, 0] for column in reversed(range(16))])
    with open_slide(slide, slide_id="s", mpp=0.5) as opened:
        sheet = patch_sheet(opened, corners, 50.0)
    assert sheet.shape == (2 * PATCH_PX, PATCHES_ABREAST * PATCH_PX, 3)
    middles = sheet[PATCH_PX // 2 :: PATCH_PX, PATCH_PX // 2 :: PATCH_PX, 0].ravel()
    assert middles[:16].tolist() == [15 * column for column in reversed(range(16))]
    assert (middles[16:] == 255).all()


def test_pictures_are_webp(slide: Path) -> None:
    with pictures_of(subject(slide)) as pictures:
        assert pictures.take("tissue", field_of_boxes(np.zeros((1, 2)), np.array([50.0]), 100)) == "tissue"
    assert Image.open(io.BytesIO(pictures.files["tissue"])).format == "WEBP"
    assert pictures.fault == ""


@pytest.mark.parametrize("damaged", [True, False])
def test_without_a_readable_slide_there_is_no_picture_and_the_reason_is_kept(tmp_path: Path, damaged: bool) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pictures_of(subject(tmp_path / "broken.png" if damaged else None)) as pictures:
        assert pictures.take("tissue", field_of_boxes(np.zeros((1, 2)), np.array([50.0]), 100)) is None
        assert pictures.take_patches("patches", np.zeros((1, 2), np.int64), 50.0) is None
    assert pictures.files == {}
    assert ("broken.png" in pictures.fault) is damaged
