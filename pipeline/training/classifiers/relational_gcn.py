"""Our classifier: graph layers that keep a patch and its neighbours apart."""

from typing import Self

import torch
from torch import Tensor, nn

from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec


class RelationalLayer(nn.Module):
    r"""Self and neighbours kept apart, several heads, residual.

    .. math:: h_i' = h_i + \mathrm{ReLU}\,\mathrm{LN}\big(W [h_i; m^1_i; \dots; m^H_i]\big),
        \quad m^k_i = \textstyle\sum_j A^k_{ij} h_j

    Concatenation lets a layer compare a patch with its neighbours, which a sum cannot.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width * (heads + 1), width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, adjacency: Adjacency) -> Tensor:
        """Nodes (*nodes, width) from nodes and the adjacency of as many heads."""
        own_and_neighbours = torch.cat([h, adjacency.messages(h)], dim=-1)
        update: Tensor = self.dropout(torch.relu(self.norm(self.linear(own_and_neighbours))))
        return h + update


class RelationalGCN(nn.Module):
    """Relational layers, mean readout over nodes, MLP head.

    Parameters
    ----------
    n_features, n_classes
        Node features and classes.
    heads
        Adjacency matrices of the generator.
    width, layers, dropout
        Width of nodes, number of layers, share of units dropped.
    """

    def __init__(self, n_features: int, n_classes: int, *, heads: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Linear(n_features, width)
        self.layers = nn.ModuleList(RelationalLayer(width, heads, dropout) for _ in range(layers))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_classes))

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """As many heads as the method's generator has."""
        settings = spec.settings
        return cls(
            n_features,
            n_classes,
            heads=settings.heads if spec.generator == "metric" else 1,
            width=settings.hidden,
            layers=settings.layers,
            dropout=settings.dropout,
        )

    @torch.no_grad()
    def start_at_zero(self) -> None:
        """Give every image logits of 0, until training moves them."""
        for weight in self.head[-1].parameters():
            weight.zero_()

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes)."""
        h = self.embed(batch.x)
        for layer in self.layers:
            h = layer(h, adjacency)
        logits: Tensor = self.head(batch.mean(h))
        return logits
