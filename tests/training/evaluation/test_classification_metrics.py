import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline.training.evaluation.classification_metrics import (
    auroc,
    balanced_accuracy,
    brier_score,
    compute_metrics,
    confusion,
    expected_calibration_error,
    macro_f1,
)


@pytest.fixture(params=[2, 3])
def scored(request):
    rng = np.random.default_rng(request.param)
    labels = rng.integers(0, request.param, size=80)
    logits = rng.normal(size=(80, request.param)) + np.eye(request.param)[labels]
    probabilities = np.exp(logits)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).round(2), labels


def test_they_agree_with_scikit_learn(scored):
    probabilities, labels = scored
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    found = compute_metrics(probabilities, labels)
    assert found.accuracy == pytest.approx(reference.accuracy_score(labels, predicted))
    assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    scores = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    assert found.auroc == pytest.approx(reference.roc_auc_score(labels, scores, multi_class="ovr"))
    np.testing.assert_array_equal(confusion(probabilities, labels), reference.confusion_matrix(labels, predicted))


def test_auroc_counts_ties_half():
    assert auroc(np.array([1.0, 1.0, 0.0]), np.array([True, False, False])) == 0.75


def test_calibration_by_hand():
    # Two of confidence 0.9 of which one is right, two of 0.6 that are both right.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert expected_calibration_error(probabilities, np.array([0, 1, 0, 0])) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_brier_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.0, 1.0]])
    assert brier_score(probabilities, np.array([0, 0])) == pytest.approx((0.04 + 0.04 + 1 + 1) / 2)


def test_absent_classes_leave_means_defined_and_auroc_not():
    probabilities, labels = np.array([[0.7, 0.3, 0], [0.2, 0.8, 0]]), np.array([0, 1])
    matrix = confusion(probabilities, labels)
    assert (balanced_accuracy(matrix), macro_f1(matrix)) == (1, 1)
    assert compute_metrics(probabilities, labels).plain()["auroc"] is None


def test_no_image_defines_nothing():
    assert set(compute_metrics(np.zeros((0, 2)), np.zeros(0, np.int64)).plain().values()) == {None}
