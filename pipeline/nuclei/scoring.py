"""How well predicted nuclei match outlined ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Labels = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Matches:
    """Counts at one threshold of overlap: nuclei found, invented and missed."""

    true_positives: int
    false_positives: int
    false_negatives: int

    def __add__(self, other: "Matches") -> "Matches":
        """Counts over both."""
        return Matches(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN), as by Cellpose and the 2018 Data Science Bowl; 1 when all are 0."""
        total = self.true_positives + self.false_positives + self.false_negatives
        return self.true_positives / total if total else 1.0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); 1 when all are 0."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / total if total else 1.0


def overlap_iou(truth: Labels, predicted: Labels) -> npt.NDArray[np.float64]:
    """Intersection over union (n_truth, n_predicted) of every pair of nuclei.

    Parameters
    ----------
    truth, predicted
        Label images of one shape, 0 = background; labels need not be consecutive.
    """
    truth_ids, true = np.unique(truth, return_inverse=True)
    predicted_ids, pred = np.unique(predicted, return_inverse=True)
    shape = (len(truth_ids), len(predicted_ids))
    pairs = np.bincount(true.ravel() * shape[1] + pred.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    union = pairs.sum(axis=1, keepdims=True) + pairs.sum(axis=0, keepdims=True) - pairs
    iou: npt.NDArray[np.float64] = (pairs / union)[truth_ids != 0][:, predicted_ids != 0]
    return iou


def match_nuclei(truth: Labels, predicted: Labels, threshold: float) -> Matches:
    """Counts when each nucleus may be matched once, to one overlapping it by ``threshold`` or more."""
    iou = overlap_iou(truth, predicted)
    n_truth, n_predicted = iou.shape
    if not iou.size:
        return Matches(0, n_predicted, n_truth)
    costs = -(iou >= threshold).astype(float) - iou / (2 * min(iou.shape))
    rows, columns = linear_sum_assignment(costs)
    hits = int((iou[rows, columns] >= threshold).sum())
    return Matches(hits, n_predicted - hits, n_truth - hits)


def match_images(pairs: Sequence[tuple[Labels, Labels]], threshold: float) -> list[Matches]:
    """``match_nuclei`` of each (truth, predicted) pair."""
    return [match_nuclei(truth, predicted, threshold) for truth, predicted in pairs]
