import numpy as np
import pytest

from pipeline.viewer.layers.axis_field import AxisField
from pipeline.viewer.layers.spatial_index import SpatialIndex


def test_the_mean_axis_knows_no_direction() -> None:
    points = np.array([[1.0, 1.0], [2.0, 2.0], [101.0, 1.0], [102.0, 1.0]])
    angles = np.array([np.radians(175), np.radians(5), 0.0, np.pi / 2])
    field = AxisField(SpatialIndex(points, 50.0), angles, np.ones(4)).in_box((0, 0, 200, 50), 100)
    assert field["n"].tolist() == [2, 2]
    assert np.degrees(field["axis"][0]) % 180 == pytest.approx(0, abs=1e-6)
    assert field["agreement"] == pytest.approx([np.cos(np.radians(10)), 0.0], abs=1e-9)  # 0 and 90 degrees cancel


def test_coarser_levels_hold_the_same_nuclei() -> None:
    rng = np.random.default_rng(0)
    points, angles = rng.uniform(0, 1000, (5000, 2)), rng.uniform(0, np.pi, 5000)
    field = AxisField(SpatialIndex(points, 10.0), angles, np.ones(5000))
    everything = (-10.0, -10.0, 1010.0, 1010.0)
    fine, coarse = field.in_box(everything, 10**6), field.in_box(everything, 100)
    assert fine["n"].sum() == coarse["n"].sum() == 5000
    assert len(coarse["n"]) <= 100 < len(fine["n"])
    assert coarse["side"] > fine["side"]


def test_nuclei_without_an_axis_count_and_agree_with_nobody() -> None:
    index = SpatialIndex(np.array([[0.0, 0.0], [1.0, 0.0]]), 10.0)
    field = AxisField(index, np.array([0.3, np.nan]), np.array([1.0, np.nan])).in_box((0, 0, 10, 10), 10)
    assert field["n"].tolist() == [2]
    assert field["agreement"] == pytest.approx([0.5])
    assert field["axis"] == pytest.approx([0.3])
