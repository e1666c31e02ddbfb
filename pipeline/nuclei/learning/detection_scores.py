"""How well predicted nuclei match outlined ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from skimage.measure import regionprops_table

from pipeline.arrays import Float64s

AnyLabels = npt.NDArray[np.integer[Any]]
"""Label image of any whole type, whose numbers may have gaps; 0 = background."""


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


def overlap_iou(truth: AnyLabels, predicted: AnyLabels) -> Float64s:
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
    iou: Float64s = (pairs / union)[truth_ids != 0][:, predicted_ids != 0]
    return iou


def match_nuclei(truth: AnyLabels, predicted: AnyLabels, threshold: float) -> Matches:
    """Counts when each nucleus of the labels (h, w) may be matched once, to one of IoU ``threshold`` or more."""
    iou = overlap_iou(truth, predicted)
    return _counts(len(_best_pairs(iou, threshold)[0]), iou.shape)


def match_centres(truth_xy: Float64s, predicted_xy: Float64s, reach: float) -> Matches:
    """Counts when each centre may be matched once, to one no further than ``reach``.

    Parameters
    ----------
    truth_xy, predicted_xy
        (n_truth, 2) and (n_predicted, 2), in the unit of ``reach``.
    """
    nearness = 1 - np.linalg.norm(truth_xy[:, None] - predicted_xy[None], axis=2) / (2 * reach)
    return _counts(len(_best_pairs(np.clip(nearness, 0, 1), 0.5)[0]), nearness.shape)


def axis_errors(truth: AnyLabels, predicted: AnyLabels, threshold: float) -> tuple[Float64s, Float64s]:
    """How far the axes of matched nuclei are turned against each other.

    Returns
    -------
    Angle between the two major axes, degrees in [0, 90], and minor over major axis of the true
    nucleus, each (n_matched,).  Axes are those of the ellipse with the same second moments.
    """
    rows, columns = _best_pairs(overlap_iou(truth, predicted), threshold)
    true_axes, found_axes = _axes(truth)[rows], _axes(predicted)[columns]
    turned = np.mod(np.degrees(true_axes[:, 0] - found_axes[:, 0]), 180)
    return np.minimum(turned, 180 - turned), true_axes[:, 1]


def _best_pairs(similarity: Float64s, threshold: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of as many pairs of at least ``threshold`` as can be, of these the most similar."""
    if not similarity.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    costs = -(similarity >= threshold).astype(float) - similarity / (2 * min(similarity.shape))
    rows, columns = linear_sum_assignment(costs)
    near = similarity[rows, columns] >= threshold
    return rows[near], columns[near]


def _counts(hits: int, shape: tuple[int, ...]) -> Matches:
    return Matches(hits, shape[1] - hits, shape[0] - hits)


def _axes(labels: AnyLabels) -> Float64s:
    """Angle of the major axis, radians, and minor over major axis (n, 2), in the order of the labels."""
    table = regionprops_table(labels, properties=("orientation", "axis_major_length", "axis_minor_length"))
    major = np.maximum(table["axis_major_length"], np.finfo(float).tiny)
    return np.column_stack([table["orientation"], table["axis_minor_length"] / major])
