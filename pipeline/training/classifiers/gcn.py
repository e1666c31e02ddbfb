"""Graph classifiers over padded batches: the published GCN and ours."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from pipeline.training.graphs.padded_batches import GraphBatch

PAPER_WIDTHS = (64, 512, 1024)
"""Widths of the published GCN (code of Paul et al. 2025)."""

PAPER_HEAD_WIDTHS = (256, 32)
"""Widths of its classifier head."""

DEGREE_GUARD = 1e-8
"""Guard: least degree before the inverse square root."""


def masked_mean(h: Tensor, mask: Tensor) -> Tensor:
    """Mean of h (B, N, d) over the real nodes of each image, (B, d)."""
    weight = mask.to(h.dtype).unsqueeze(-1)
    return (h * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1)


def symmetric_normalised(adjacency: Tensor) -> Tensor:
    """D^-1/2 A D^-1/2 of (..., N, N) (Kipf and Welling 2017); rows of degree 0 stay 0."""
    degree = adjacency.sum(dim=-1)
    root = torch.where(degree > DEGREE_GUARD, degree.clamp_min(DEGREE_GUARD).rsqrt(), torch.zeros_like(degree))
    return root.unsqueeze(-1) * adjacency * root.unsqueeze(-2)


class PaperGCN(nn.Module):
    """The published classifier: three dense GCN layers, mean readout, MLP head.

    Layer: LayerNorm, then ReLU, of D^-1/2 A D^-1/2 X W + b, to 64, 512 and 1024.  Variant A adds
    dropout and the concatenation of the three mean readouts (1600; Xu et al. 2018).

    Parameters
    ----------
    n_features, n_classes
        Node features and classes.
    dropout
        After each layer; the published variant A has 0.2, B none.
    jumping_knowledge
        Variant A if true, B if not.
    """

    def __init__(self, n_features: int, n_classes: int, *, dropout: float, jumping_knowledge: bool) -> None:
        super().__init__()
        widths = (n_features, *PAPER_WIDTHS)
        pairs = list(pairwise(widths))
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.norms = nn.ModuleList(nn.LayerNorm(b) for _, b in pairs)
        self.dropout = nn.Dropout(dropout)
        self.jumping_knowledge = jumping_knowledge
        readout = sum(PAPER_WIDTHS) if jumping_knowledge else PAPER_WIDTHS[-1]
        first, second = PAPER_HEAD_WIDTHS
        self.head = nn.Sequential(
            nn.Linear(readout, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, n_classes)
        )

    def forward(self, batch: GraphBatch, weights: Tensor) -> Tensor:
        """Logits (B, n_classes) from nodes and adjacency (B, 1, N, N)."""
        propagate = symmetric_normalised(weights.squeeze(1))
        h = batch.x
        readouts = []
        for linear, norm in zip(self.linears, self.norms, strict=True):
            h = self.dropout(torch.relu(norm(propagated(propagate, linear, h))))
            readouts.append(masked_mean(h, batch.mask))
        logits: Tensor = self.head(torch.cat(readouts, dim=-1) if self.jumping_knowledge else readouts[-1])
        return logits


def propagated(propagate: Tensor, linear: nn.Module, h: Tensor) -> Tensor:
    """(A X) W + b, which equals A (X W) + b and is cheaper when W widens X."""
    result: Tensor = linear(propagate @ h)
    return result


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

    def forward(self, h: Tensor, weights: Tensor) -> Tensor:
        """Nodes (B, N, width) from nodes and row weights (B, H, N, N)."""
        messages = (weights @ h.unsqueeze(1)).transpose(1, 2).flatten(start_dim=2)
        update: Tensor = self.dropout(torch.relu(self.norm(self.linear(torch.cat([h, messages], dim=-1)))))
        return h + update


class RelationalGCN(nn.Module):
    """Our classifier: relational layers, mean readout over real nodes, MLP head.

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

    def forward(self, batch: GraphBatch, weights: Tensor) -> Tensor:
        """Logits (B, n_classes) from nodes and row weights (B, heads, N, N)."""
        h = self.embed(batch.x)
        for layer in self.layers:
            h = layer(h, weights)
        logits: Tensor = self.head(masked_mean(h, batch.mask))
        return logits
