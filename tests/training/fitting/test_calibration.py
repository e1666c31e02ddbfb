import numpy as np
import pytest

from pipeline.training.fitting.calibration import COLDEST, fit_temperature


def test_overconfident_logits_are_cooled_by_the_known_factor():
    """Of images with logit gap 3 a share sigmoid(1.5) is right, so T is 2."""
    n = 100_000
    n_right = round(n / (1 + np.exp(-1.5)))
    labels = np.repeat([1, 0], [n_right, n - n_right])
    logits = np.tile([0.0, 3.0], (n, 1))
    assert fit_temperature(logits, labels) == pytest.approx(2, rel=1e-3)


def test_honest_logits_stay():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50_000, 3)) * 2
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(1, abs=0.02)


def test_images_that_are_all_right_meet_the_bound():
    assert COLDEST <= fit_temperature(np.array([[0.0, 1.0]]), np.array([1])) < 2 * COLDEST
