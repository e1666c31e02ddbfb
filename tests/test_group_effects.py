import numpy as np
import pytest
from scipy import stats

from pipeline.group_effects import group_effects


def test_effects_are_those_of_an_analysis_of_variance() -> None:
    samples = ([1.0, 2.0, 4.0], [3.0, 5.0], [8.0])
    means = np.concatenate(samples)[:, None]
    (row,) = group_effects(["x"], "site", [*"aaabbc"], means).to_dict("records")
    expected = stats.f_oneway(*samples)
    assert row["p"] == pytest.approx(expected.pvalue)
    grand = means.mean()
    between = sum(len(one) * (np.mean(one) - grand) ** 2 for one in samples)
    whole = ((means - grand) ** 2).sum()
    within = (whole - between) / 3
    assert row["eta_squared"] == pytest.approx(between / whole)
    assert row["omega_squared"] == pytest.approx((between - 2 * within) / (whole + within))
    assert (row["n_groups"], row["n_images"], row["grouping"]) == (3, 6, "site")


def test_images_in_no_group_and_undefined_means_are_left_out() -> None:
    means = np.array([[1.0], [2.0], [np.nan], [9.0]])
    (row,) = group_effects(["x"], "class", ["a", "b", "a", None], means).to_dict("records")
    assert (row["n_groups"], row["n_images"]) == (2, 2)


def test_one_group_explains_nothing() -> None:
    (row,) = group_effects(["x"], "class", ["a", "a"], np.array([[1.0], [2.0]])).to_dict("records")
    assert np.isnan([row["eta_squared"], row["omega_squared"], row["p"]]).all()
