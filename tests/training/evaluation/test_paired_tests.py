import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from pipeline.training.evaluation.paired_tests import corrected_resampled_p, holm, sign_flip_p


@pytest.mark.parametrize("wins", [0, 3, 5, 9])
def test_single_images_make_it_mcnemars_exact_test(wins):
    differences = [1] * wins + [-1] * (10 - wins) + [0] * 7
    assert sign_flip_p(differences) == pytest.approx(binomtest(wins, 10).pvalue)


def test_it_counts_all_signs():
    differences = [3, -1, 2, 2, 0, 1]
    sums = [abs(np.dot(signs, differences)) for signs in product([-1, 1], repeat=6)]
    assert sign_flip_p(differences) == pytest.approx(np.mean(np.array(sums) >= 7))


def test_no_difference_is_no_evidence():
    assert sign_flip_p([]) == sign_flip_p([0, 0]) == sign_flip_p([1, -1]) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
    found = holm([0.04, math.nan, 0.03])
    assert math.isnan(found[1])
    assert [found[0], found[2]] == pytest.approx([0.06, 0.06])


def test_without_shared_images_the_test_over_folds_is_students():
    differences = [0.1, 0.05, -0.02, 0.08]
    assert corrected_resampled_p(differences, 0.0) == pytest.approx(ttest_1samp(differences, 0).pvalue)


def test_shared_training_images_weaken_it_by_hand():
    """d = 1, 2, 3: mean 2, variance 1; t = 2 / sqrt(1/3 + 1/2) with 2 degrees of freedom, p = 1 - t / sqrt(t^2 + 2)."""
    t = 2 / math.sqrt(1 / 3 + 1 / 2)
    assert corrected_resampled_p([1, 2, 3], 0.5) == pytest.approx(1 - t / math.sqrt(t**2 + 2))


def test_two_folds_tell_something():
    """d = 0, 1: mean 1/2, variance 1/2; t = 1/2 / sqrt((1/2 + 1) / 2) with 1 degree of freedom, a Cauchy's tail."""
    t = 0.5 / math.sqrt((1 / 2 + 1) * 0.5)
    assert corrected_resampled_p([0, 1], 1.0) == pytest.approx(1 - 2 * math.atan(t) / math.pi)


def test_one_fold_or_folds_that_do_not_vary_tell_nothing():
    assert math.isnan(corrected_resampled_p([0.1], 0.5))
    assert math.isnan(corrected_resampled_p([0.1, 0.1], 0.5))
