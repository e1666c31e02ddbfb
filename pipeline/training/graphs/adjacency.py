"""The graph of a batch as a network uses it: who sends what to whom.

A generator makes an ``Adjacency``; a classifier passes messages along it and knows nothing
of how it is stored: as weights of every two nodes or of candidates (``PairAdjacency``), as
fixed edges that count alike (``fixed_graphs.FixedAdjacency``), or not at all (``NoEdges``).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pipeline.training.graphs.pairs import Pairs

DEGREE_GUARD = 1e-8
"""Guard: least degree before the inverse square root."""


class Adjacency(ABC):
    """H matrices A over the nodes of a batch, none of which joins two images."""

    @abstractmethod
    def messages(self, h: Tensor) -> Tensor:
        """A h for each head, one after the other, (*nodes, H * d) from (*nodes, d)."""

    @abstractmethod
    def symmetrically_normalised(self) -> "Adjacency":
        """D^-1/2 A D^-1/2 with D the sums of rows (Kipf and Welling 2017); rows of degree 0 stay 0."""

    @abstractmethod
    def mean_weight(self) -> Tensor:
        """Mean of |A_ij| over all pairs and heads, the published penalty on edges; a scalar."""

    @abstractmethod
    def effective_degree(self) -> Tensor:
        """(sum_j A_ij)^2 / sum_j A_ij^2 of each node, A without its diagonal, mean over heads; (N,), 0 without edges.

        A node that gives k others the same weight has k.
        """


@dataclass(frozen=True)
class PairAdjacency(Adjacency):
    """Weights of pairs.

    Attributes
    ----------
    pairs
        Which pairs have a weight.
    weights
        Those weights, float32 (*rows, slots), 0 in empty slots.
    """

    pairs: Pairs
    weights: Tensor

    def messages(self, h: Tensor) -> Tensor:
        """Weighted sums of h."""
        return self.pairs.weighted_sums(self.weights, h)

    def symmetrically_normalised(self) -> "PairAdjacency":
        """The same pairs with other weights."""
        # A view: gradients through both of its uses are summed before a penalty adds its own.
        weights = self.weights.view_as(self.weights)
        degree = weights.sum(dim=-1)
        root = torch.where(degree > DEGREE_GUARD, degree.clamp_min(DEGREE_GUARD).rsqrt(), torch.zeros_like(degree))
        return replace(self, weights=root.unsqueeze(-1) * weights * self.pairs.of_targets(root))

    def mean_weight(self) -> Tensor:
        """Mean of absolute weights."""
        return self.pairs.mean(self.weights.abs())

    def effective_degree(self) -> Tensor:
        """Of the weights of pairs of different nodes."""
        weights = self.weights * self.pairs.mask
        square = weights.square().sum(dim=-1)
        degree = weights.sum(dim=-1).square() / torch.where(square > 0, square, torch.ones_like(square))
        return self.pairs.over_heads(degree)


class NoEdges(Adjacency):
    """No head and no edge."""

    def messages(self, h: Tensor) -> Tensor:
        """None: (*nodes, 0)."""
        return h[..., :0]

    def symmetrically_normalised(self) -> "NoEdges":
        """Itself."""
        return self

    def mean_weight(self) -> Tensor:
        """Zero."""
        return torch.zeros(())

    def effective_degree(self) -> Tensor:
        """Of no node: the mean over nodes is undefined without a graph."""
        return torch.zeros(0)
