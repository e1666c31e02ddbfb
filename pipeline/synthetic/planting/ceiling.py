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
"""Images of the classifier: two thirds to learn from, one to be tried on."""

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


def accuracy_with_true_edges(images: Sequence[PlantedImage]) -> float:
    """Accuracy on the last third of ``images`` of a logistic regression fitted to the others.

    It sees how the two patches of a true edge differ (``edge_differences``), and nothing else.
    """
    rows = np.stack([edge_differences(image) for image in images])
    labels = np.array([image.label for image in images])
    cut = 2 * len(images) // 3
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY_C, max_iter=2000))
    classifier.fit(rows[:cut], labels[:cut])
    return float(classifier.score(rows[cut:], labels[cut:]))


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
