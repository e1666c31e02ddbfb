import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cellgraph.graphs.axes import axial_difference, doubled, has_axis, mean_axis
from tests.cellgraph.nuclei_layouts import quick


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(0, 0, 0), (0, 90, 90), (1, 179, 2), (170, 10, 20), (45, 135, 90), (0, 180, 0)]
)
def test_difference_of_axes_in_degrees(a, b, expected):
    found = np.rad2deg(axial_difference(np.deg2rad([a]), np.deg2rad([b])))
    assert found == pytest.approx([expected], abs=1e-9)


@quick
@given(st.floats(-10, 10), st.floats(-10, 10))
def test_difference_is_symmetric_and_within_a_quarter_turn(a, b):
    there, back = axial_difference(np.array([a]), np.array([b])), axial_difference(np.array([b]), np.array([a]))
    assert there == pytest.approx(back, abs=1e-12)
    assert 0 <= there[0] <= np.pi / 2


def test_mean_axis_of_1_and_179_degrees_is_0_and_not_90():
    mean = doubled(np.deg2rad([1.0, 179.0])).mean(axis=0)
    assert mean_axis(mean) == pytest.approx(0.0, abs=1e-12)


def test_axes_that_cancel_have_no_mean():
    assert np.isnan(mean_axis(doubled(np.deg2rad([20.0, 110.0])).mean(axis=0)))


def test_round_and_unmeasured_nuclei_have_no_axis():
    eccentricity, orientation = np.array([0.59, 0.6, 0.9, np.nan, 0.9]), np.array([0.1, 0.2, 0.3, 0.4, np.nan])
    np.testing.assert_array_equal(has_axis(eccentricity, orientation, 0.6), [False, True, True, False, False])
