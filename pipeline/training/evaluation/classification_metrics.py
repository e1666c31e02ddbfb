"""Metrics of class probabilities, each by its textbook definition.

Arguments throughout: ``probabilities`` float64 (n, n_classes), rows summing to 1;
``labels`` int64 (n,), positions of the true classes.  NaN where a metric is undefined.
"""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

ECE_BINS = 15
"""Equal-width bins of confidence (Guo et al. 2017)."""

Probabilities = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metrics:
    """The metrics of one set of images; see the functions of this module."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auroc: float
    ece: float
    brier: float

    def plain(self) -> dict[str, float | None]:
        """By name, undefined ones None."""
        return {name: None if np.isnan(value) else float(value) for name, value in asdict(self).items()}


def compute_metrics(probabilities: Probabilities, labels: Labels) -> Metrics:
    """All metrics; all undefined without an image."""
    if not len(labels):
        return Metrics(*[np.nan] * 6)
    matrix = confusion(probabilities, labels)
    return Metrics(
        accuracy=float(np.trace(matrix) / matrix.sum()),
        balanced_accuracy=balanced_accuracy(matrix),
        macro_f1=macro_f1(matrix),
        auroc=macro_auroc(probabilities, labels),
        ece=expected_calibration_error(probabilities, labels),
        brier=brier_score(probabilities, labels),
    )


def confusion(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.int64]:
    """Images by true class (rows) and most probable class (columns), int64 (n_classes, n_classes)."""
    n_classes = probabilities.shape[1]
    cells = labels * n_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def balanced_accuracy(matrix: npt.NDArray[np.int64]) -> float:
    """Mean recall over the classes that have images, from a confusion matrix."""
    size = matrix.sum(axis=1)
    present = size > 0
    return float(np.mean(np.diag(matrix)[present] / size[present]))


def macro_f1(matrix: npt.NDArray[np.int64]) -> float:
    """Mean of 2 TP / (2 TP + FP + FN) over the classes that have images or predictions."""
    size = matrix.sum(axis=1) + matrix.sum(axis=0)
    present = size > 0
    return float(np.mean(2 * np.diag(matrix)[present] / size[present]))


def macro_auroc(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over classes of the area under the ROC curve, one against the rest.

    For two classes this is the area itself.  Undefined when a class has no image.
    """
    n_classes = probabilities.shape[1]
    if len(np.unique(labels)) < n_classes:
        return float("nan")
    classes = range(1, n_classes) if n_classes == 2 else range(n_classes)
    return float(np.mean([auroc(probabilities[:, c], labels == c) for c in classes]))


def auroc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Chance that a positive scores above a negative, ties half (Mann-Whitney U / n_pos n_neg)."""
    above, below = scores[positive], np.sort(scores[~positive])
    half_wins = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(half_wins / (2 * len(above) * len(below)))


def expected_calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Sum over bins of (share of images) x |accuracy - mean confidence| (Guo et al. 2017, eq. 3)."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    # Bins are (lower, upper], so a confidence of 1 falls in the last.
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gap = np.bincount(bins, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gap).sum() / len(labels))


def brier_score(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over images of the squared distance to the one-hot truth, summed over classes; 0 to 2 (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
