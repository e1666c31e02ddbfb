"""Evidence of named features of each patch, by integrated gradients (Sundararajan et al. 2017)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Bools, Float32s
from pipeline.training.fitting.inference import ImageNetwork
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation.log_odds import log_odds


@dataclass(frozen=True)
class Asked:
    """One class of a model.

    Attributes
    ----------
    network, temperature
        The model, and what its logits are divided by.
    predicted
        The class, a column of its logits.
    """

    network: ImageNetwork
    predicted: int
    temperature: float = 1.0

    def says(self, image: NodeImage, x: Tensor) -> Tensor:
        """Log-odds of the class in an image with other features x (n, n_columns); a scalar."""
        (_, batch), *_ = self.network.batches([NodeImage(x, image.coords, image.label)], 1)
        return log_odds(self.network(batch), self.temperature)[0, self.predicted]


def feature_evidence(asked: Asked, image: NodeImage, steps: int) -> tuple[Float32s, float]:
    r"""Share of each standardised feature of each patch in the log-odds of the class.

    .. math:: e_{if} = x_{if} \int_0^1 \frac{\partial\, o(\alpha x)}{\partial x_{if}} d\alpha

    The path begins where every patch is the average one of the training; graphs are drawn
    anew along it.

    Returns
    -------
    float32 (n, n_columns), and what its sum lacks of the difference between the ends of the path.
    """
    x = image.x.detach()
    total = torch.zeros_like(x)
    for step in range(steps):
        scaled = (x * ((step + 0.5) / steps)).requires_grad_()
        (slope,) = torch.autograd.grad(asked.says(image, scaled), scaled)
        total += slope
    evidence = x * total / steps
    with torch.no_grad():
        difference = asked.says(image, x) - asked.says(image, torch.zeros_like(x))
    return np.asarray(evidence.cpu().numpy(), np.float32), float(difference - evidence.sum())


def of_named_features(evidence: Float32s, indicator: Bools) -> Float32s:
    """Evidence (n, n_features) from that of the scaler's columns (n, n_outputs).

    Columns "was undefined", which follow those of the features, count for their feature.
    """
    n_features = len(indicator)
    named = evidence[:, :n_features].copy()
    named[:, indicator] += evidence[:, n_features:]
    return named
