"""What logits lose on each image."""

import numpy as np
from scipy.special import log_softmax

from pipeline.arrays import Float64s, Int64s


def cross_entropies(logits: Float64s, labels: Int64s) -> Float64s:
    """Cross-entropy of each image in nats, float64 (n,), of logits (n, n_classes) with true classes (n,)."""
    losses: Float64s = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return losses
