import numpy as np
import pytest

from pipeline.report.figures.colour_wheel import (
    CHROMA,
    LIGHTNESS,
    UNDIRECTED_COLOUR,
    orientation_colours,
    orientation_wheel,
)

LMS_FROM_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OKLAB_FROM_ROOTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """The other way round, by the matrices that Ottosson (2020) gives for it."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return (OKLAB_FROM_ROOTS @ np.cbrt(LMS_FROM_RGB @ linear.T)).T


def test_hue_is_twice_the_angle_and_lightness_and_chroma_stay() -> None:
    angles = np.linspace(0, np.pi, 181)
    colours = orientation_colours(angles)
    within = ((colours > 1e-6) & (colours < 1 - 1e-6)).all(axis=1)
    assert within.any()
    lightness, a, b = oklab(colours[within]).T
    np.testing.assert_allclose(lightness, LIGHTNESS, atol=1e-3)
    np.testing.assert_allclose(np.hypot(a, b), CHROMA, atol=1e-3)
    np.testing.assert_allclose(np.exp(1j * np.arctan2(b, a)), np.exp(2j * angles[within]), atol=0.01)


def test_axis_colours_come_back_after_half_a_turn_and_differ_at_right_angles() -> None:
    angles = np.linspace(0, np.pi, 13)
    colours = orientation_colours(angles)
    np.testing.assert_allclose(colours, orientation_colours(angles + np.pi), atol=1e-9)
    assert np.abs(colours - orientation_colours(angles + np.pi / 2)).max(axis=1).min() > 0.2
    assert ((colours >= 0) & (colours <= 1)).all()


def test_an_undefined_axis_is_grey() -> None:
    assert orientation_colours(np.array([np.nan])).tolist() == [list(UNDIRECTED_COLOUR)]


def test_every_wedge_has_the_colour_of_its_direction() -> None:
    (axes,) = orientation_wheel().axes
    assert len(axes.patches) == 72
    width = np.radians(5)
    for wedge in axes.patches:
        x, y = wedge.get_xy()[:-1].mean(axis=0)
        middle = (np.floor(np.arctan2(y, x) / width) + 0.5) * width
        np.testing.assert_allclose(wedge.get_facecolor()[:3], orientation_colours(np.array([middle]))[0], atol=1e-6)


@pytest.mark.parametrize("text", ["0°", "45°", "90°", "135°"])
def test_angles_are_written_where_they_point_with_y_down(text: str) -> None:
    (axes,) = orientation_wheel().axes
    assert axes.yaxis_inverted()
    assert not axes.xaxis_inverted()
    (label,) = (label for label in axes.texts if label.get_text() == text)
    x, y = label.get_position()
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(float(text[:-1]))
