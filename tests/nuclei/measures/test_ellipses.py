import numpy as np
import pytest

from pipeline.nuclei.measures.ellipses import axial, ellipses_of_moments


def moments(a, b, turn):
    """Second moments of an ellipse with half axes ``a``, ``b``, turned by ``turn``: a^2/4 and b^2/4 along its axes."""
    cos, sin = np.cos(turn), np.sin(turn)
    along, across = a**2 / 4, b**2 / 4
    return (
        np.array([v])
        for v in (along * cos**2 + across * sin**2, along * sin**2 + across * cos**2, (along - across) * cos * sin)
    )


@pytest.mark.parametrize("turn", [0.0, 0.3, np.pi / 2, 3.0])
def test_an_ellipse_has_its_own_axes(turn):
    found = ellipses_of_moments(*moments(5.0, 3.0, turn))
    assert (found.major[0], found.minor[0]) == pytest.approx((10, 6))
    assert found.eccentricity[0] == pytest.approx(0.8)
    assert found.orientation_rad[0] == pytest.approx(turn)
    assert found.reliability[0] == pytest.approx((25 - 9) / (25 + 9))


def test_a_point_is_round_and_a_line_is_not():
    found = ellipses_of_moments(np.array([0.0, 4.0]), np.array([0.0, 0.0]), np.array([0.0, 0.0]))
    assert found.eccentricity.tolist() == [0.0, 1.0]
    assert found.reliability.tolist() == [0.0, 1.0]


def test_what_is_not_known_stays_unknown():
    found = ellipses_of_moments(*np.full((3, 1), np.nan))
    assert all(np.isnan(values).all() for values in vars(found).values())


def test_an_axis_is_below_pi_whatever_is_rounded():
    angles = np.array([-1e-20, np.nextafter(0.0, -1.0), np.pi, -np.pi / 4, 7.0, np.nan])
    found = axial(angles)
    assert (found[:-1] < np.pi).all()
    assert found[:3].tolist() == [0.0, 0.0, 0.0]
    assert found[3:5] == pytest.approx([3 * np.pi / 4, 7 - 2 * np.pi])
    assert np.isnan(found[-1])
