import random

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.png_files import read_png
from pipeline.errors import ArtefactError


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "p.png"
    Image.effect_noise((40, 30), 60).convert("RGB").save(path)
    return path


def test_pixels_are_those_that_were_written(picture):
    with Image.open(picture) as written:
        np.testing.assert_array_equal(read_png(picture, "tiles"), np.asarray(written))


def test_no_flipped_bit_goes_unseen(picture):
    whole, draw = picture.read_bytes(), random.Random(0)
    for _ in range(200):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        picture.write_bytes(bytes(content))
        with pytest.raises(ArtefactError, match=r"p\.png: the picture is damaged"):
            read_png(picture, "tiles")


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: c[:50], lambda c: c + b"x", lambda c: b"", lambda c: c[1:]]
)
def test_what_ends_early_or_late_is_told(picture, change):
    picture.write_bytes(change(picture.read_bytes()))
    with pytest.raises(ArtefactError, match=r"the picture is damaged.*`abignet tile`"):
        read_png(picture, "tiles")


def test_a_missing_and_another_picture_are_told(tmp_path):
    with pytest.raises(ArtefactError, match="the picture is damaged"):
        read_png(tmp_path / "none.png", "tiles")
    Image.new("RGB", (4, 4)).save(tmp_path / "p.jpg")
    with pytest.raises(ArtefactError, match="does not begin as a PNG"):
        read_png(tmp_path / "p.jpg", "tiles")
