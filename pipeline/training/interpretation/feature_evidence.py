"""Evidence of named features of each patch, by integrated gradients (Sundararajan et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Bools, Float32s
from pipeline.training.fitting.inference import ImageNetwork
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation.log_odds import log_odds

PATCHES_AT_ONCE = 1 << 12
"""Guard on memory: patches of an image's copies whose gradients are taken together."""


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

    def says(self, image: NodeImage, xs: Sequence[Tensor]) -> Tensor:
        """Log-odds of the class in an image with other features, (k,), k times x (n, n_columns)."""
        images = [NodeImage(x, image.coords, image.label) for x in xs]
        said = [self.network(batch) for _, batch in self.network.batches(images, len(images))]
        return log_odds(torch.cat(said), self.temperature)[:, self.predicted]


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
    at_once = max(1, PATCHES_AT_ONCE // len(x))
    for first in range(0, steps, at_once):
        places = range(first, min(first + at_once, steps))
        scaled = [(x * ((place + 0.5) / steps)).requires_grad_() for place in places]
        for slope in torch.autograd.grad(asked.says(image, scaled).sum(), scaled):
            total += slope
    evidence = x * total / steps
    with torch.no_grad():
        end, start = asked.says(image, [x, torch.zeros_like(x)])
    difference = end - start
    return np.asarray(evidence.cpu().numpy(), np.float32), float(difference - evidence.sum())


def of_named_features(evidence: Float32s, indicator: Bools) -> Float32s:
    """Evidence (n, n_features) from that of the scaler's columns (n, n_outputs).

    Columns "was undefined", which follow those of the features, count for their feature.
    """
    n_features = len(indicator)
    named = evidence[:, :n_features].copy()
    named[:, indicator] += evidence[:, n_features:]
    return named
