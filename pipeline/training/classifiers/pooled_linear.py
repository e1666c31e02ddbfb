"""A linear model of pooled nodes; ``fitting.best_pooled_linear`` fits it."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from pipeline.arrays import Float64s

Pooling = Literal["mean", "mean_sd"]


@dataclass(frozen=True)
class PooledLinear:
    """A linear model of mean and SD of the nodes.

    Attributes
    ----------
    weight
        float64 (n_classes, 2d), for ``mean_and_sd`` as it is; 0 for the SDs where ``pooling`` is ``mean``.
    bias
        float64 (n_classes,).
    pooling, inverse_penalty
        What the inner folds chose: the pooled values that count, and scikit-learn's C.
    held_out
        float64 (n, n_classes), logits of each image from the inner fit that did not see its
        patient, with this choice.
    loss
        Cross-entropy of ``held_out`` that decided, in nats.
    """

    weight: Float64s
    bias: Float64s
    pooling: Pooling
    inverse_penalty: float
    held_out: Float64s
    loss: float

    @torch.no_grad()
    def put_into(self, layer: nn.Linear) -> None:
        """Make a layer this model."""
        layer.weight.copy_(torch.from_numpy(self.weight))
        layer.bias.copy_(torch.from_numpy(self.bias))
