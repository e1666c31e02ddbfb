import numpy as np
import pytest
from PIL import Image

from pipeline.slides.level_picture import HELD_PX, SAME, Picture, difference
from pipeline.slides.source import UnreadablePixelsError
from tests.slides.slide_files import tissue


def picture(rgb: np.ndarray) -> Picture:
    return Picture(lambda x, y, width, height: rgb[y : y + height, x : x + width], rgb.shape[1], rgb.shape[0])


def on_glass(side: int, corner: tuple[int, int], tissue_side: int) -> np.ndarray:
    """A square slide of glass with a square of tissue; corner is (x, y)."""
    rgb = np.full((side, side, 3), 246, np.uint8)
    x, y = corner
    rgb[y : y + tissue_side, x : x + tissue_side] = tissue(tissue_side, tissue_side)
    return rgb


def unreadable(*_box: int) -> np.ndarray:
    raise UnreadablePixelsError("damaged")


@pytest.mark.parametrize("filter_", [Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("step", [2, 4, 8])
def test_a_picture_made_smaller_in_any_way_is_the_same(step: int, filter_: Image.Resampling) -> None:
    rgb = on_glass(1024, (300, 200), 400)
    small = np.asarray(Image.fromarray(rgb).resize((1024 // step, 1024 // step), filter_))
    apart = difference(picture(small), picture(rgb), step)
    assert apart is not None
    assert apart < SAME / 2


@pytest.mark.parametrize("colour", [(250, 250, 250), (230, 120, 180), (0, 0, 0), (246, 246, 246)])
def test_a_label_of_one_colour_is_another_picture_however_little_tissue_there_is(colour) -> None:
    rgb = on_glass(1024, (700, 500), 60)
    label = np.full((256, 256, 3), colour, np.uint8)
    apart = difference(picture(label), picture(rgb), 4)
    assert apart is not None
    assert apart > SAME


def test_a_label_with_words_is_another_picture() -> None:
    rgb = on_glass(1024, (300, 200), 500)
    label = np.full((256, 256, 3), 250, np.uint8)
    label[40:60, 30:200] = label[100:200:4, 60:160] = 30
    apart = difference(picture(label), picture(rgb), 4)
    assert apart is not None
    assert apart > SAME


def test_a_shifted_picture_is_another() -> None:
    rgb = on_glass(1024, (300, 200), 400)
    small = np.asarray(Image.fromarray(on_glass(1024, (350, 200), 400)).reduce(4))
    assert (difference(picture(small), picture(rgb), 4) or 0) > 0


def test_blank_pictures_tell_nothing() -> None:
    blank = np.full((512, 512, 3), 246, np.uint8)
    assert difference(picture(blank[::2, ::2]), picture(blank), 2) is None


def test_what_cannot_be_read_tells_nothing() -> None:
    rgb = on_glass(512, (100, 100), 200)
    assert difference(Picture(unreadable, 128, 128), picture(rgb), 4) is None
    assert difference(picture(rgb[::4, ::4]), Picture(unreadable, 512, 512), 4) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 5)])
def test_any_size_is_compared(size: tuple[int, int]) -> None:
    height, width = size
    rgb = tissue(height * 4, width * 4)
    small = np.asarray(Image.fromarray(rgb).reduce(4))
    assert (difference(picture(small), picture(rgb), 4) or 0) < SAME


def test_a_picture_read_at_once_is_as_far_apart_as_one_read_in_patches(monkeypatch) -> None:
    rgb = on_glass(512, (100, 60), 300)
    small = np.roll(rgb[::2, ::2], 5, axis=0)
    assert small.size // 3 <= HELD_PX
    at_once = difference(picture(small), picture(rgb), 2)
    monkeypatch.setattr("pipeline.slides.level_picture.HELD_PX", 0)
    assert at_once == difference(picture(small), picture(rgb), 2)
