"""Patch-GCN in PyTorch Geometric's layers."""

from typing import Self

import torch
from torch import Tensor, nn
from torch_geometric.nn import DeepGCNLayer, GENConv

from pipeline.training.graphs.fixed_graphs import FixedAdjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec

GRAPH_LAYERS = 3
"""Graph layers of the published network (Chen et al. 2021)."""


class PatchGCN(nn.Module):
    """Deep residual graph convolution over neighbours in space, all layers beside each other, gated attention.

    Chen et al. 2021, "Whole Slide Images are 2D Point Clouds" (arXiv 2107.13048): GENConv with
    softmax aggregation of learned temperature (Li et al. 2020, arXiv 2006.07739), LayerNorm,
    ReLU, residual.  Published for survival; here it has a head of n_classes outputs.
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(dropout))
        self.layers = nn.ModuleList(_graph_layer(width, dropout) for _ in range(GRAPH_LAYERS))
        self.mix = nn.Sequential(nn.Linear((GRAPH_LAYERS + 1) * width, width), nn.ReLU(), nn.Dropout(dropout))
        self.tangent, self.gate, self.score = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.head = nn.Linear(width, n_classes)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method."""
        return cls(n_features, n_classes, width=spec.settings.hidden, dropout=spec.settings.dropout)

    def forward(self, batch: ImageBatch, adjacency: FixedAdjacency) -> Tensor:
        """Logits (B, n_classes)."""
        packed, edges = batch.packed(), adjacency.neighbours.edge_index
        hidden = [self.embed(packed.x)]
        for layer in self.layers:
            hidden.append(layer(hidden[-1], edges))
        h = self.mix(torch.cat(hidden, dim=-1))
        score = self.score(torch.tanh(self.tangent(h)) * torch.sigmoid(self.gate(h))).squeeze(-1)
        logits: Tensor = self.head(packed.total(packed.softmax(score).unsqueeze(-1) * h))
        return logits


def _graph_layer(width: int, dropout: float) -> DeepGCNLayer:
    conv = GENConv(width, width, aggr="softmax", t=1.0, learn_t=True, num_layers=2, norm="layer")
    return DeepGCNLayer(conv, nn.LayerNorm(width), nn.ReLU(), block="res", dropout=dropout)
