"""Metrics of class probabilities, by scikit-learn where it has them.

Arguments throughout: ``probabilities`` float64 (n, n_classes), rows summing to 1;
``labels`` int64 (n,), positions of the true classes.  NaN where a metric is undefined.
"""

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from pipeline.arrays import Float64s, Int64s
from pipeline.classification_counts import calibration_bins

ECE_BINS = 15
"""Equal-width bins of confidence (Guo et al. 2017)."""


@dataclass(frozen=True)
class Metrics:
    """The metrics of one set of images.

    Attributes
    ----------
    accuracy
        Share of images whose most probable class is the true one.
    balanced_accuracy
        Mean recall over the classes that have images.
    macro_f1
        Mean of 2 TP / (2 TP + FP + FN) over the classes that have images or predictions.
    auroc
        See ``macro_auroc``.
    ece
        See ``expected_calibration_error``.
    brier
        See ``brier_score``.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auroc: float
    ece: float
    brier: float

    def plain(self) -> dict[str, float | None]:
        """By name, undefined ones None."""
        return {name: None if np.isnan(value) else float(value) for name, value in asdict(self).items()}


def compute_metrics(probabilities: Float64s, labels: Int64s) -> Metrics:
    """All metrics of probabilities (n, n_classes) and labels (n,); all undefined without an image."""
    if not len(labels):
        return Metrics(*[np.nan] * 6)
    predicted = probabilities.argmax(axis=1)
    return Metrics(
        accuracy=float(accuracy_score(labels, predicted)),
        balanced_accuracy=float(recall_score(labels, predicted, labels=np.unique(labels), average="macro")),
        macro_f1=float(f1_score(labels, predicted, average="macro", zero_division=0.0)),
        auroc=macro_auroc(probabilities, labels),
        ece=expected_calibration_error(probabilities, labels),
        brier=brier_score(probabilities, labels),
    )


def macro_auroc(probabilities: Float64s, labels: Int64s) -> float:
    """Mean over classes of the area under the ROC curve, one against the rest.

    For two classes this is the area itself.  Undefined when a class has no image.
    """
    n_classes = probabilities.shape[1]
    if len(np.unique(labels)) < n_classes or n_classes < 2:
        return float("nan")
    if n_classes == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    return float(roc_auc_score(np.eye(n_classes)[labels], probabilities, average="macro"))


def expected_calibration_error(probabilities: Float64s, labels: Int64s) -> float:
    """Sum over bins of (share of images) x |accuracy - mean confidence| (Guo et al. 2017, eq. 3)."""
    bins = calibration_bins(probabilities, probabilities.argmax(axis=1) == labels, ECE_BINS)
    return float(np.abs(bins.correct - bins.confidence).sum() / len(labels))


def brier_score(probabilities: Float64s, labels: Int64s) -> float:
    """Mean over images of the squared distance to the one-hot truth, summed over classes; 0 to 2 (Brier 1950)."""
    return float(squared_distances(probabilities, labels).mean())


def squared_distances(probabilities: Float64s, labels: Int64s) -> Float64s:
    """Squared distance of each image's probabilities to its one-hot truth, float64 (n,)."""
    distances: Float64s = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)
    return distances
