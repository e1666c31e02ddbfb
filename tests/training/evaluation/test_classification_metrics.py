import warnings

import numpy as np
import pytest

from pipeline.training.evaluation.classification_metrics import (
    brier_score,
    compute_metrics,
    expected_calibration_error,
    macro_auroc,
)


def sure(predicted, n_classes, confidence=0.8):
    """Probabilities whose largest is ``confidence``, at the predicted class."""
    rest = (1 - confidence) / (n_classes - 1)
    return np.where(np.arange(n_classes) == np.array(predicted)[:, None], confidence, rest)


def test_by_hand():
    """True 0 0 0 1 1 2, predicted 0 0 1 1 1 0: recalls 2/3, 1, 0; F1 of 2/3, 4/5, 0."""
    metrics = compute_metrics(sure([0, 0, 1, 1, 1, 0], 3), np.array([0, 0, 0, 1, 1, 2]))
    assert metrics.accuracy == pytest.approx(4 / 6)
    assert metrics.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.macro_f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


def test_a_class_without_images_has_no_recall_but_an_f1_if_it_is_predicted():
    """True 0 0 1, predicted 0 2 1; class 3 is nowhere and counts for nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = compute_metrics(sure([0, 2, 1], 4), np.array([0, 0, 1]))
    assert metrics.balanced_accuracy == pytest.approx((1 / 2 + 1) / 2)
    assert metrics.macro_f1 == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.plain()["auroc"] is None


def test_auroc_of_two_classes_is_that_of_the_second_and_ties_are_half_won():
    probabilities = np.array([[0.3, 0.7], [0.3, 0.7], [0.9, 0.1]])
    assert macro_auroc(probabilities, np.array([1, 0, 0])) == 0.75
    assert macro_auroc(probabilities, np.array([0, 0, 1])) == 0.0


def test_auroc_of_three_classes_is_the_mean_of_one_against_the_rest():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.6, 0.1, 0.3], [0.1, 0.1, 0.8]])
    labels = np.array([0, 1, 2, 2])
    areas = [
        np.mean([(p > n) + (p == n) / 2 for p in column[labels == c] for n in column[labels != c]])
        for c, column in enumerate(probabilities.T)
    ]
    assert len(set(areas)) > 1
    assert macro_auroc(probabilities, labels) == pytest.approx(np.mean(areas))


def test_calibration_by_hand():
    # Two of confidence 0.9 of which one is right, two of 0.6 that are both right.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert expected_calibration_error(probabilities, np.array([0, 1, 0, 0])) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_brier_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.0, 1.0]])
    assert brier_score(probabilities, np.array([0, 0])) == pytest.approx((0.04 + 0.04 + 1 + 1) / 2)


def test_no_image_defines_nothing():
    assert set(compute_metrics(np.zeros((0, 2)), np.zeros(0, np.int64)).plain().values()) == {None}
