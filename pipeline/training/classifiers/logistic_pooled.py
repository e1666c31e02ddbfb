"""Baseline without a graph: logistic regression on how the nodes of an image are distributed."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from pipeline.arrays import Float64s
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PaddedBatch
from pipeline.training.methods.presets import MethodSpec

LOGISTIC_ITERATIONS = 2000
"""Most iterations of the logistic regression's solver."""


class LogisticPooled(nn.Module):
    """Logistic regression on mean and SD of each feature over the nodes.

    Its weights come from scikit-learn, not from gradient steps here; see ``fit``.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * n_features, n_classes)
        self.register_buffer("centre", torch.zeros(2 * n_features))
        self.register_buffer("scale", torch.ones(2 * n_features))

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """The method has no numbers for it."""
        return cls(n_features, n_classes)

    def pooled(self, batch: ImageBatch) -> Tensor:
        """Mean and population SD of the nodes, (B, 2d)."""
        mean = batch.mean(batch.x)
        variance = batch.mean((batch.x - batch.at_nodes(mean)) ** 2)
        return torch.cat([mean, variance.sqrt()], dim=-1)

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes); the adjacency is not looked at."""
        logits: Tensor = self.linear((self.pooled(batch) - self.centre) / self.scale)
        return logits

    @torch.no_grad()
    def fit(self, images: Sequence[NodeImage], *, balanced: bool) -> None:
        """Set centre, scale and weights from every training image.

        Parameters
        ----------
        balanced
            Whether classes weigh by their inverse frequency.
        """
        pooled = torch.cat([self.pooled(PaddedBatch.of([image])) for image in images])
        self.centre.copy_(pooled.mean(dim=0))
        spread = pooled.std(dim=0, correction=0)
        self.scale.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        rows = ((pooled - self.centre) / self.scale).double().cpu().numpy()
        regression = LogisticRegression(max_iter=LOGISTIC_ITERATIONS, class_weight="balanced" if balanced else None)
        regression.fit(rows, [image.label for image in images])
        self.linear.weight.copy_(torch.from_numpy(_per_class(regression.coef_)))
        self.linear.bias.copy_(torch.from_numpy(_per_class(regression.intercept_[:, None])[:, 0]))


def _per_class(parameters: Float64s) -> Float64s:
    """One row a class; scikit-learn gives one row for two classes, the logit of the second."""
    return np.concatenate([-parameters, parameters]) / 2 if len(parameters) == 1 else parameters
