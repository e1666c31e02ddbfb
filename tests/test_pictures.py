import numpy as np
import pytest

from pipeline.pictures import LUMA, round_length_um, type_colour


@pytest.mark.parametrize(
    ("longest", "expected"),
    [(1.0, 1.0), (1.99, 1.0), (2.0, 2.0), (99.0, 50.0), (0.3, 0.2), (1000.0, 1000.0)],
)
def test_a_scale_bar_is_the_largest_round_length_that_fits(longest, expected):
    assert round_length_um(longest) == pytest.approx(expected)


def test_rounding_does_not_halve_a_bar():
    assert round_length_um(np.nextafter(5.0, 0.0)) == 5.0


def test_grey_keeps_its_lightness_and_green_is_lightest():
    assert sum(LUMA) == pytest.approx(1.0)
    assert LUMA[1] > LUMA[0] > LUMA[2]


def test_a_type_has_the_colour_of_its_name():
    assert type_colour("Tumor") == type_colour("Tumor") != type_colour("Stroma")
    assert all(0 <= part <= 255 for part in type_colour(""))
