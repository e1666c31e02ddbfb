"""What is counted of classified images: confusion of classes, and confidence against correctness."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Float64s, Int64s

NO_CLASS = -1
"""Position of a name that is none of the classes."""


def class_positions(names: Sequence[str], classes: Sequence[str]) -> Int64s:
    """Position of each name in ``classes``, int64 (n,); ``NO_CLASS`` where it is none of them."""
    place = {name: position for position, name in enumerate(classes)}
    return np.array([place.get(name, NO_CLASS) for name in names], np.int64)


def confusion_counts(true: Int64s, predicted: Int64s, n_classes: int) -> Int64s:
    """Images by true class (rows) and predicted class (columns), int64 (n_classes, n_classes).

    Parameters
    ----------
    true, predicted
        int64 (n,), positions of classes; images with ``NO_CLASS`` in either are left out.
    """
    known = (true != NO_CLASS) & (predicted != NO_CLASS)
    cells = true[known] * n_classes + predicted[known]
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


@dataclass(frozen=True)
class CalibrationBins:
    """Images in bins of equal width of confidence, over (0, 1].

    Attributes
    ----------
    count
        int64 (n_bins,), images.
    confidence
        float64 (n_bins,), sum of their largest probabilities.
    correct
        float64 (n_bins,), number of those predicted right.
    """

    count: Int64s
    confidence: Float64s
    correct: Float64s


def calibration_bins(probabilities: Float64s, correct: Bools, n_bins: int) -> CalibrationBins:
    """Confidence and correctness of predictions in bins of confidence (Guo et al. 2017, section 2).

    Parameters
    ----------
    probabilities
        float64 (n, n_classes).
    correct
        bool (n,), whether the predicted class is the true one.
    """
    confidence = probabilities.max(axis=1, initial=0.0)
    bins = confidence_bin(confidence, n_bins)
    confidences, hits = (np.bincount(bins, weights, n_bins).astype(np.float64) for weights in (confidence, correct))
    return CalibrationBins(np.bincount(bins, minlength=n_bins), confidences, hits)


def confidence_bin(confidence: Float64s, n_bins: int) -> Int64s:
    """Bin of each confidence, int64 of the same shape; bin b is (b / n_bins, (b + 1) / n_bins]."""
    bins: Int64s = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    return bins
