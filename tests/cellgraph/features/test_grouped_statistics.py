import statistics

import numpy as np
import pytest

from pipeline.cellgraph.features.grouped_statistics import GroupedValues, summarise, without_outliers


def test_statistics_by_hand():
    """2, 4, 6: mean 4, sample SD 2, ratio 1/3, disorder 1 - 1 / (1 + 2/4) = 1/3."""
    summary = summarise(GroupedValues(np.array([2.0, 4.0, 6.0]), np.array([0, 3])))
    assert (summary.mean[0], summary.sd[0]) == (4, 2)
    assert summary.min_max[0] == pytest.approx(1 / 3)
    assert summary.disorder[0] == pytest.approx(1 / 3)


def test_sample_and_population_sd_agree_with_the_standard_library():
    values = np.random.default_rng(0).random(20)
    rows = GroupedValues(values, np.array([0, 7, 20]))
    for row, part in enumerate((values[:7], values[7:])):
        assert summarise(rows).sd[row] == pytest.approx(statistics.stdev(part))
        assert summarise(rows, ddof=0).sd[row] == pytest.approx(statistics.pstdev(part))


def test_what_is_not_defined_is_nan_and_never_zero():
    summary = summarise(GroupedValues(np.array([3.0, 0.0, 0.0]), np.array([0, 0, 1, 3])))
    assert np.isnan([summary.mean[0], summary.sd[0], summary.min_max[0], summary.disorder[0]]).all()
    assert (summary.mean[1], summary.min_max[1]) == (3, 1)
    assert np.isnan([summary.sd[1], summary.disorder[1]]).all()
    assert (summary.mean[2], summary.sd[2]) == (0, 0)
    assert np.isnan([summary.min_max[2], summary.disorder[2]]).all()


def test_outliers_go_until_none_is_left():
    """1000 hides 60 at first: only without it is 60 beyond three SD."""
    calm = [10.0, 11.0] * 20
    rows = GroupedValues(np.array([*calm, 60.0, 1000.0, 1.0, 2.0]), np.array([0, 42, 42, 44]))
    kept = without_outliers(rows)
    np.testing.assert_array_equal(kept.values, [*calm, 1.0, 2.0])
    np.testing.assert_array_equal(kept.offsets, [0, 40, 40, 42])


@pytest.mark.parametrize(("n", "kept"), [(9, 9), (12, 11)])
def test_an_outlier_is_beyond_three_population_sd(n, kept):
    """One value of 1 among zeros lies sqrt(n - 1) SD from the mean: 2.8 for 9 values, 3.3 for 12."""
    rows = GroupedValues(np.array([1.0, *[0.0] * (n - 1)]), np.array([0, n]))
    assert len(without_outliers(rows).values) == kept


@pytest.mark.parametrize("value", [1 / 3, 0.1, np.sqrt(5) / 3])
def test_a_value_at_three_sd_stays_whatever_the_rounding(value):
    """Two values of 2 v among eighteen of v lie at sqrt(18 / 2) = 3 SD."""
    for first in range(10):
        values = np.roll([2 * value, 2 * value, *[value] * 18], first)
        assert len(without_outliers(GroupedValues(values, np.array([0, 20]))).values) == 20
