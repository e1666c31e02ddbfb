from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.training.comparison import holm, sign_flip_p


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
