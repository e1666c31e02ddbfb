r"""WiKG: a directed graph that is drawn anew from the nodes, and attention that knows its edges.

Li et al. 2024, "Dynamic Graph Representation with Knowledge-aware Attention for
Histopathology Whole Slide Image Analysis", CVPR 2024 (arXiv 2403.07719); written from the
paper.  Every patch is the head of some edges and the tail of others.  With embeddings h
(head) and t (tail) of dimension d,

.. math:: \omega_{ij} = h_i^\top t_j / \sqrt d, \quad N_i = \text{the } k \text{ largest of } \omega_{i\cdot},
    \quad \alpha_{ij} = \text{softmax}_{j \in N_i}\, \omega_{ij}

.. math:: r_{ij} = \alpha_{ij} t_j + (1 - \alpha_{ij}) h_i, \quad
    \pi_{ij} = \text{softmax}_{j \in N_i}\, t_j^\top \tanh(h_i + r_{ij}), \quad
    n_i = \textstyle\sum_{j \in N_i} \pi_{ij} t_j

.. math:: h_i' = \phi\big(W_1 (h_i + n_i)\big) + \phi\big(W_2 (h_i \odot n_i)\big)

where phi is the leaky ReLU.  The image is the mean of h' weighted by attention.
"""

# torch has no types for some methods of tensors.
# mypy: disallow-untyped-calls=False

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.generator import GraphGenerator
from pipeline.training.graphs.image_batches import ImageBatch, PackedBatch
from pipeline.training.methods.presets import MethodSpec

NODES_PER_BLOCK = 1024
"""Guard on memory: heads that are compared with all tails of an image at once."""


@dataclass(frozen=True)
class HeadTailAdjacency(Adjacency):
    """Directed edges from each head to its nearest tails, over packed images.

    Attributes
    ----------
    head, tail
        float32 (N, d), embeddings of the nodes.
    neighbours
        int64 (N, k), tails of each head, counted over the batch.
    present
        bool (N, k), False in the slots that an image of fewer than k nodes leaves empty.
    weight
        float32 (N, k), alpha: sums to 1 over the neighbours of each head, 0 in empty slots.
    sizes
        Nodes of each image.
    """

    head: Tensor
    tail: Tensor
    neighbours: Tensor
    present: Tensor
    weight: Tensor
    sizes: list[int]

    def messages(self, h: Tensor) -> Tensor:
        """Sums of h (N, d) over neighbours, weighted by alpha, (N, d)."""
        return (self.weight.unsqueeze(-1) * h[self.neighbours]).sum(dim=1)

    def symmetrically_normalised(self) -> "HeadTailAdjacency":
        """Itself: its rows sum to 1."""
        return self

    def mean_weight(self) -> Tensor:
        """Nodes over pairs of nodes."""
        return self.weight.sum() / sum(size**2 for size in self.sizes)

    def effective_degree(self) -> Tensor:
        """Of the weights of pairs of different nodes, (N,)."""
        node = torch.arange(len(self.head), device=self.head.device).unsqueeze(1)
        weight = self.weight * (self.neighbours != node)
        square = weight.square().sum(dim=1)
        return weight.sum(dim=1).square() / torch.where(square > 0, square, torch.ones_like(square))


class HeadTail(GraphGenerator):
    """Head and tail embeddings of nodes, and the k tails nearest to each head.

    Parameters
    ----------
    n_features
        Node features.
    width
        Dimension d of the embeddings.
    degree
        Neighbours k of a head, itself possibly among them; 0 takes all nodes of the image.
    """

    batch_kind = PackedBatch
    """No image is compared with another."""

    def __init__(self, n_features: int, *, width: int, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.embed = nn.Linear(n_features, width)
        self.to_head = nn.Linear(width, width)
        self.to_tail = nn.Linear(width, width)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int) -> Self:
        """Width and degree of the method."""
        return cls(n_features, width=spec.settings.hidden, degree=spec.settings.target_degree)

    def forward(self, batch: ImageBatch) -> HeadTailAdjacency:
        """The graph of packed images."""
        embedded = leaky_relu(self.embed(batch.packed().x))
        head, tail = self.to_head(embedded), self.to_tail(embedded)
        neighbours, present = self._nearest(head.detach(), tail.detach(), batch.sizes)
        similarity = (head.unsqueeze(1) * tail[neighbours]).sum(dim=-1) / math.sqrt(head.shape[1])
        weight = similarity.masked_fill(~present, -torch.inf).softmax(dim=1)
        return HeadTailAdjacency(head, tail, neighbours, present, weight, batch.sizes)

    def _nearest(self, head: Tensor, tail: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
        """Neighbours, int64 (N, k), and which of them are there, bool (N, k)."""
        degree = min(self.degree or max(sizes), max(sizes))
        neighbours = torch.zeros(len(head), degree, dtype=torch.int64, device=head.device)
        present = torch.zeros_like(neighbours, dtype=torch.bool)
        first = 0
        for size in sizes:
            tails, count = tail[first : first + size], min(degree, size)
            for start in range(first, first + size, NODES_PER_BLOCK):
                rows = slice(start, min(start + NODES_PER_BLOCK, first + size))
                neighbours[rows, :count] = (head[rows] @ tails.T).topk(count, dim=1).indices + first
                present[rows, :count] = True
            first += size
        return neighbours, present

    @torch.no_grad()
    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Edges between different patches, all kept, each with the mean of alpha in its two directions."""
        adjacency = self.forward(batch)
        rows = zip(
            *(part.split(batch.sizes) for part in (adjacency.neighbours, adjacency.present, adjacency.weight)),
            strict=True,
        )
        first = np.cumsum([0, *batch.sizes[:-1]])
        return [_undirected(n - start, p, w) for start, (n, p, w) in zip(first.tolist(), rows, strict=True)]


class KnowledgeAware(nn.Module):
    """Knowledge-aware attention over neighbours, bi-interaction, and pooling by attention."""

    def __init__(self, n_classes: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.of_sum = nn.Linear(width, width)
        self.of_product = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Sequential(nn.Linear(width, width // 2), nn.LeakyReLU(), nn.Linear(width // 2, 1))
        self.head = nn.Linear(width, n_classes)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method; features are embedded where the graph is made."""
        return cls(n_classes, width=spec.settings.hidden, dropout=spec.settings.dropout)

    def forward(self, batch: ImageBatch, adjacency: HeadTailAdjacency) -> Tensor:
        """Logits (B, n_classes)."""
        packed, head = batch.packed(), adjacency.head
        gathered = gather(adjacency)
        updated = leaky_relu(self.of_sum(head + gathered)) + leaky_relu(self.of_product(head * gathered))
        updated = self.dropout(updated)
        share = packed.softmax(self.score(updated).squeeze(-1))
        logits: Tensor = self.head(self.norm(packed.total(share.unsqueeze(-1) * updated)))
        return logits


def gather(adjacency: HeadTailAdjacency) -> Tensor:
    """What each head hears of its neighbours by knowledge-aware attention, n (N, d)."""
    head, tail = adjacency.head.unsqueeze(1), adjacency.tail[adjacency.neighbours]
    alpha = adjacency.weight.unsqueeze(-1)
    edge = alpha * tail + (1 - alpha) * head
    score = (tail * torch.tanh(head + edge)).sum(dim=-1)
    share = score.masked_fill(~adjacency.present, -torch.inf).softmax(dim=1)
    return (share.unsqueeze(-1) * tail).sum(dim=1)


def _undirected(neighbours: Tensor, present: Tensor, weight: Tensor) -> LearnedGraph:
    """Graph of one image from its directed edges, all (n, k)."""
    n_nodes = len(neighbours)
    node = torch.arange(n_nodes, device=neighbours.device).unsqueeze(1).expand_as(neighbours)
    edges = present & (neighbours != node)
    source, target, half = node[edges], neighbours[edges], weight[edges] / 2
    both = torch.cat([source * n_nodes + target, target * n_nodes + source])
    pairs, place = both.unique(return_inverse=True)
    total = half.new_zeros(len(pairs)).index_add(0, place, half.repeat(2))
    return LearnedGraph(
        edge_index=torch.stack([pairs // n_nodes, pairs % n_nodes]).cpu().numpy(),
        weight=total.float().clamp(0, 1).cpu().numpy(),
        kept=np.ones(len(pairs), np.bool_),
    )
