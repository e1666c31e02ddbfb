"""Baseline without a graph: logistic regression on how the nodes of an image are distributed."""

from typing import Self

from torch import Tensor, nn

from pipeline.training.classifiers.node_pooling import mean_and_sd
from pipeline.training.classifiers.pooled_linear import PooledLinear
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec


class LogisticPooled(nn.Module):
    """Logistic regression on the mean, or on mean and SD, of each feature over the nodes.

    Its weights come from ``fitting.best_pooled_linear``, not from gradient steps.
    """

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * n_features, n_classes)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """The method has no numbers for it."""
        return cls(n_features, n_classes)

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes); the adjacency is not looked at."""
        logits: Tensor = self.linear(mean_and_sd(batch))
        return logits

    def keep(self, linear: PooledLinear) -> None:
        """Take the weights of ``linear``."""
        linear.put_into(self.linear)
