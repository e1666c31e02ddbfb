"""Baseline without a graph: the mean of the nodes."""

from typing import Self

from torch import Tensor, nn

from pipeline.training.classifiers.node_mlp import node_mlp
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec


class MeanPool(nn.Module):
    """Node MLP, mean over nodes, MLP head (Zaheer et al. 2017)."""

    def __init__(self, n_features: int, n_classes: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.nodes = node_mlp(n_features, width, dropout)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_classes))

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method."""
        return cls(n_features, n_classes, width=spec.settings.hidden, dropout=spec.settings.dropout)

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes); the adjacency is not looked at."""
        logits: Tensor = self.head(batch.mean(self.nodes(batch.x)))
        return logits
