"""How well a cohort can be solved: by Bayes' rule, and by a classifier that is given the true edges."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.arrays import Float64s
from pipeline.synthetic.planting.planted_image import PlantedImage

N_CEILING_IMAGES = 3000
"""Images from which the classifier learns and on which it is tried."""

PENALTY_C = 0.01
"""Inverse strength of its ridge penalty: there are hundreds of values an image."""


@dataclass(frozen=True)
class Ceiling:
    """Accuracy of Bayes' rule (None where it is not known) and of a classifier given the true edges."""

    bayes: float | None
    true_edges: float

    def __str__(self) -> str:
        bayes = "not known" if self.bayes is None else f"{self.bayes:.3f}"
        return f"ceiling: Bayes {bayes}, a classifier given the true edges {self.true_edges:.3f}"


def accuracy_with_true_edges(learned_from: Sequence[PlantedImage], tried_on: Sequence[PlantedImage]) -> float:
    """Accuracy of a logistic regression that sees how the two patches of a true edge differ, and nothing else."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY_C, max_iter=2000))
    classifier.fit(*_rows_and_labels(learned_from))
    return float(classifier.score(*_rows_and_labels(tried_on)))


def _rows_and_labels(images: Sequence[PlantedImage]) -> tuple[Float64s, list[str]]:
    return np.stack([edge_differences(image) for image in images]), [image.label for image in images]


def edge_differences(image: PlantedImage) -> Float64s:
    r"""Second moments of the differences along true edges, float64 (d (d + 1) / 2,).

    .. math:: \frac{1}{|E|} \sum_{(i, j) \in E} (x_i - x_j)(x_i - x_j)^\top

    A shift of the whole image leaves them as they are.
    """
    first, second = image.features[image.pairs].astype(np.float64)
    difference = first - second
    moments = difference.T @ difference / len(difference)
    values: Float64s = moments[np.triu_indices(len(moments))]
    return values
