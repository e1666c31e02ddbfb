"""Temperature scaling: one number that makes probabilities honest and changes no prediction."""

import math

from scipy.optimize import minimize_scalar

from pipeline.arrays import Float64s, Int64s
from pipeline.training.fitting.cross_entropies import cross_entropies

COLDEST, HOTTEST = 0.05, 20.0
"""Guard: range of the temperature; images that are all right would ask for 0."""


def fit_temperature(logits: Float64s, labels: Int64s) -> float:
    """T > 0 of the least cross-entropy of softmax(logits / T) (Guo et al. 2017, section 4.2).

    Parameters
    ----------
    logits
        float64 (n, n_classes), n at least 1; of images that fitted no weight.
    labels
        int64 (n,), positions of the true classes.
    """

    def loss(log_temperature: float) -> float:
        return float(cross_entropies(logits * math.exp(-log_temperature), labels).mean())

    best = minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded")
    return math.exp(best.x)
