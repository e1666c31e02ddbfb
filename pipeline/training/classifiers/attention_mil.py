"""Baseline without a graph: a mean weighted by attention."""

from typing import Self

import torch
from torch import Tensor, nn

from pipeline.training.classifiers.node_mlp import node_mlp
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec


class AttentionMIL(nn.Module):
    r"""Gated-attention multiple instance learning (Ilse et al. 2018, eq. 9).

    .. math:: a_k \propto \exp\big(w^\top (\tanh(V h_k) \odot \sigma(U h_k))\big), \quad z = \textstyle\sum_k a_k h_k
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.nodes = node_mlp(n_features, width, dropout)
        self.tangent = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, n_classes))

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method."""
        return cls(n_features, n_classes, width=spec.settings.hidden, dropout=spec.settings.dropout)

    def attention(self, h: Tensor, batch: ImageBatch) -> Tensor:
        """Attention (*nodes) of nodes h (*nodes, width), summing to 1 in each image."""
        score = self.score(torch.tanh(self.tangent(h)) * torch.sigmoid(self.gate(h)))
        return batch.softmax(score.squeeze(-1))

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes); the adjacency is not looked at."""
        h = self.nodes(batch.x)
        logits: Tensor = self.head(batch.total(self.attention(h, batch).unsqueeze(-1) * h))
        return logits
