import numpy as np
from sklearn.metrics import confusion_matrix

from pipeline.classification_counts import (
    NO_CLASS,
    calibration_bins,
    class_positions,
    confidence_bin,
    confusion_counts,
)


def test_names_take_the_place_of_their_class():
    assert class_positions(["b", "a", "?", ""], ["a", "b"]).tolist() == [1, 0, NO_CLASS, NO_CLASS]
    assert class_positions([], ["a"]).dtype == np.int64


def test_confusion_has_true_classes_down_and_predicted_ones_across():
    counts = confusion_counts(np.array([0, 0, 0, 1]), np.array([0, 2, 2, 1]), 3)
    assert counts.tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_confusion_is_scikit_learns():
    true, predicted = np.random.default_rng(0).integers(0, 4, size=(2, 200))
    np.testing.assert_array_equal(confusion_counts(true, predicted, 4), confusion_matrix(true, predicted))


def test_images_of_unknown_class_are_not_counted():
    assert confusion_counts(np.array([NO_CLASS, 1, 0]), np.array([0, NO_CLASS, 0]), 2).tolist() == [[1, 0], [0, 0]]
    assert confusion_counts(np.zeros(0, np.int64), np.zeros(0, np.int64), 2).tolist() == [[0, 0], [0, 0]]


def test_bins_hold_their_upper_edge_and_the_first_holds_zero():
    assert confidence_bin(np.array([0.0, 0.1, 0.25, 0.26, 0.5, 0.51, 0.75, 1.0]), 4).tolist() == [
        0,
        0,
        0,
        1,
        1,
        2,
        2,
        3,
    ]


def test_calibration_by_hand():
    """Two images of confidence 0.9, one of them right; one of 0.6 that is right; ten bins."""
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.4, 0.6]])
    bins = calibration_bins(probabilities, np.array([True, False, True]), 10)
    assert bins.count.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 2, 0]
    np.testing.assert_allclose(bins.confidence[[5, 8]], [0.6, 1.8])
    assert bins.correct[[5, 8]].tolist() == [1, 1]


def test_no_image_fills_no_bin():
    bins = calibration_bins(np.zeros((0, 3)), np.zeros(0, bool), 5)
    assert (bins.count.tolist(), bins.correct.tolist()) == ([0] * 5, [0] * 5)
