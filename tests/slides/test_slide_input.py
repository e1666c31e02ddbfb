import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.fingerprint import fingerprint
from pipeline.errors import SlideError
from pipeline.slides.slide_input import SlideInput


def test_a_slide_opens_under_its_name_and_at_the_pixel_size_of_the_sheet(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(path)
    with SlideInput("s1", path, mpp=0.25).open() as slide:
        assert (slide.slide_id, slide.mpp) == ("s1", 0.25)


def test_a_slide_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.svs").write_bytes(b"no slide")
    with pytest.raises(SlideError, match="s1"):
        SlideInput("s1", tmp_path / "a.svs").open()


def test_the_fingerprint_is_that_of_its_file(tmp_path):
    (tmp_path / "a.svs").write_bytes(b"bytes")
    assert SlideInput("s1", tmp_path / "a.svs").fingerprint == fingerprint(tmp_path / "a.svs")


def test_a_fingerprint_that_cannot_be_taken_names_the_slide(tmp_path):
    with pytest.raises(SlideError, match=r"s1 .*on_bad_slide: exclude"):
        _ = SlideInput("s1", tmp_path / "gone.svs").fingerprint
