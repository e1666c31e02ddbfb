"""The metrics of many resamplings of the same images at once, for the bootstrap.

By their counts instead of by ``classification_metrics`` image by image: a thousand draws
then take matrix products and one sorting.
"""

import numpy as np

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.metric_names import METRICS
from pipeline.classification_counts import confidence_bin
from pipeline.training.evaluation.classification_metrics import ECE_BINS, squared_distances


def resampled_metrics(probabilities: Float64s, labels: Int64s, times: Float64s) -> dict[str, Float64s]:
    """Metrics of each draw by name, float64 (n_draws,); NaN where one is undefined.

    Parameters
    ----------
    probabilities
        float64 (n, n_classes).
    labels
        int64 (n,), positions of the true classes.
    times
        float64 (n_draws, n), how often each draw holds each image.
    """
    n_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    cells = np.eye(n_classes**2)[labels * n_classes + predicted]
    confusion = (times @ cells).reshape(len(times), n_classes, n_classes)
    confidence = probabilities.max(axis=1)
    surplus = np.eye(ECE_BINS)[confidence_bin(confidence, ECE_BINS)] * ((predicted == labels) - confidence)[:, None]
    right = np.diagonal(confusion, axis1=1, axis2=2)
    true, guessed = confusion.sum(axis=2), confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        n_images = times.sum(axis=1)
        metrics = {
            "accuracy": right.sum(axis=1) / n_images,
            "balanced_accuracy": _mean_where(right / true, true > 0),
            "macro_f1": _mean_where(2 * right / (true + guessed), true + guessed > 0),
            "auroc": _macro_auroc(probabilities, labels, times),
            "ece": np.abs(times @ surplus).sum(axis=1) / n_images,
            "brier": times @ squared_distances(probabilities, labels) / n_images,
        }
    return {name: metrics[name] for name in METRICS}


def _mean_where(values: Float64s, counts: Bools) -> Float64s:
    """Mean of each row of ``values`` over those that count; NaN where none does."""
    mean: Float64s = np.where(counts, values, 0.0).sum(axis=1) / counts.sum(axis=1)
    return mean


def _macro_auroc(probabilities: Float64s, labels: Int64s, times: Float64s) -> Float64s:
    """Mean over classes of ``_auroc``, for two classes that of the second; NaN in a draw that lacks a class."""
    n_classes = probabilities.shape[1]
    classes = range(1, n_classes) if n_classes == 2 else range(n_classes)
    areas: Float64s = np.mean([_auroc(probabilities[:, c], labels == c, times) for c in classes], axis=0)
    return areas


def _auroc(scores: Float64s, positive: Bools, times: Float64s) -> Float64s:
    """Chance that a positive scores above a negative, ties half (Mann-Whitney U / n_pos n_neg), of each draw."""
    order = np.argsort(scores, kind="stable")
    ties = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    positives = np.add.reduceat((times * positive)[:, order], ties, axis=1)
    negatives = np.add.reduceat((times * ~positive)[:, order], ties, axis=1)
    below = negatives.cumsum(axis=1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=1)
    area: Float64s = wins / (positives.sum(axis=1) * negatives.sum(axis=1))
    return area
