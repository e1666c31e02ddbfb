import numpy as np
import pytest
from PIL import Image

from pipeline.slides.source import blank, over_white, true_downsample


def test_blank_is_white_in_rows_and_columns() -> None:
    assert blank(3, 2).shape == (2, 3, 3)
    assert (blank(3, 2) == 255).all()


@pytest.mark.parametrize(
    ("size", "stated", "true"),
    [
        ((250, 175), 4.0, 4.0),
        ((250, 175), 4.001, 4.0),
        ((249, 174), 4.02, 4.02),
        ((333, 233), 3.0, 3.0),
        ((1000, 700), 1.0, 1.0),
    ],
)
def test_a_rounded_level_was_made_with_a_power_of_two(size: tuple[int, int], stated: float, true: float) -> None:
    assert true_downsample((1001, 701), size, stated) == true


def test_transparent_pixels_show_white() -> None:
    picture = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 0))
    assert over_white(picture).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_opaque_pixels_are_untouched_whatever_the_mode() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    picture = Image.fromarray(rgb)
    assert np.array_equal(over_white(picture), rgb)
    assert np.array_equal(over_white(picture.convert("RGBA")), rgb)
    assert over_white(Image.new("L", (1, 1), 7)).tolist() == [[[7, 7, 7]]]
