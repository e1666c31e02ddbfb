import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cellgraph.graphs.axes import (
    angles_between_axes,
    angles_to_axis,
    axial_difference,
    doubled,
    has_axis,
    mean_axis,
)
from tests.cellgraph.nuclei_layouts import quick


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(0, 0, 0), (0, 90, 90), (1, 179, 2), (170, 10, 20), (45, 135, 90), (0, 180, 0)]
)
def test_difference_of_axes_in_degrees(a, b, expected):
    assert np.rad2deg(axial_difference(np.deg2rad(a), np.deg2rad(b))) == pytest.approx(expected, abs=1e-9)


@quick
@given(st.floats(-10, 10), st.floats(-10, 10))
def test_difference_is_symmetric_and_within_a_quarter_turn(a, b):
    there, back = axial_difference(a, b), axial_difference(b, a)
    assert there == pytest.approx(back, abs=1e-12)
    assert 0 <= there <= np.pi / 2


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_an_axis_that_is_not_there_has_no_difference(missing):
    assert np.isnan([axial_difference(0.3, missing), axial_difference(missing, 0.3)]).all()


def test_mean_axis_of_1_and_179_degrees_is_0_and_not_90():
    mean = doubled(np.deg2rad([1.0, 179.0])).mean(axis=0)
    assert mean_axis(mean) == pytest.approx(0.0, abs=1e-12)


def test_axes_that_cancel_have_no_mean():
    assert np.isnan(mean_axis(doubled(np.deg2rad([20.0, 110.0])).mean(axis=0)))


def test_round_and_unmeasured_nuclei_have_no_axis():
    eccentricity, orientation = np.array([0.59, 0.6, 0.9, np.nan, 0.9]), np.array([0.1, 0.2, 0.3, 0.4, np.nan])
    np.testing.assert_array_equal(has_axis(eccentricity, orientation, 0.6), [False, True, True, False, False])


def test_angles_between_axes_are_axial():
    theta = np.deg2rad([10.0, 170.0, 100.0, np.nan])
    edges = np.array([[0, 1, 0, 0, 3], [1, 0, 2, 0, 0]])
    between_deg = np.rad2deg(angles_between_axes(theta, edges))
    assert between_deg[:4] == pytest.approx([20.0, 20.0, 90.0, 0.0])
    assert np.isnan(between_deg[4])


def test_angles_to_the_axis_are_those_of_the_source():
    xy = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    theta = np.deg2rad([30.0, 0.0, np.nan])
    edges = np.array([[0, 1, 0, 2], [1, 0, 2, 1]])
    to_axis_deg = np.rad2deg(angles_to_axis(xy, theta, edges))
    assert to_axis_deg[:2] == pytest.approx([60.0, 90.0])
    assert np.isnan(to_axis_deg[2:]).all()
