"""The published classifier."""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec

PAPER_WIDTHS = (64, 512, 1024)
"""Widths of the published GCN (code of Paul et al. 2025)."""

PAPER_HEAD_WIDTHS = (256, 32)
"""Widths of its classifier head."""


class PaperGCN(nn.Module):
    """The published classifier: three dense GCN layers, mean readout, MLP head.

    Layer: LayerNorm, then ReLU, of D^-1/2 A D^-1/2 X W + b, to 64, 512 and 1024.  Variant A adds
    dropout and the concatenation of the three mean readouts (1600; Xu et al. 2018).

    A X comes before W, which widens: PyTorch Geometric's ``GCNConv`` and ``DenseGCNConv``
    compute A (X W), the same up to rounding at a higher price.

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

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """The variant of the method."""
        return cls(n_features, n_classes, dropout=spec.settings.dropout, jumping_knowledge=spec.jumping_knowledge)

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes) from nodes and an adjacency of one head."""
        propagation = adjacency.symmetrically_normalised()
        h = batch.x
        readouts = []
        for linear, norm in zip(self.linears, self.norms, strict=True):
            h = self.dropout(torch.relu(norm(linear(propagation.messages(h)))))
            readouts.append(batch.mean(h))
        logits: Tensor = self.head(torch.cat(readouts, dim=-1) if self.jumping_knowledge else readouts[-1])
        return logits
