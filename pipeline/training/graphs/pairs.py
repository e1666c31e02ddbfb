"""Which pairs of nodes have a number: every two of an image, or candidates.

Numbers of pairs have the shape (*rows, slots): for each row, which is a node in a head of
an image, one number for each node that may be its neighbour.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pipeline.artefacts.learned_graphs import LearnedGraph


class Pairs(ABC):
    """Pairs of nodes of a batch in each of H heads."""

    mask: Tensor
    """Which slots hold a pair of two different nodes, bool, broadcasts against (*rows, slots)."""

    @property
    @abstractmethod
    def most_neighbours(self) -> int:
        """Most neighbours that a node can have."""

    @abstractmethod
    def products(self, h: Tensor) -> Tensor:
        """Inner products of the vectors of each pair by head, (*rows, slots), from (*rows, p)."""

    @abstractmethod
    def distances(self, coords: Tensor) -> Tensor:
        """Distance of each pair in the unit of ``coords`` (*nodes, 2); broadcasts against (*rows, slots)."""

    @abstractmethod
    def of_targets(self, values: Tensor) -> Tensor:
        """``values`` (*rows) at the node of each slot; broadcasts against (*rows, slots)."""

    @abstractmethod
    def weighted_sums(self, weights: Tensor, h: Tensor) -> Tensor:
        """Sum of h (*nodes, d) over the slots of each node, one head after the other, (*nodes, H * d)."""

    @abstractmethod
    def mean(self, values: Tensor) -> Tensor:
        """Mean of ``values`` (*rows, slots) over all pairs of nodes of an image, those without a slot counted as 0."""

    @abstractmethod
    def over_heads(self, values: Tensor) -> Tensor:
        """Mean of ``values`` (*rows) over the heads of each node, (N,), image by image."""

    @abstractmethod
    def learned_graphs(self, scores: Tensor, kept: Tensor) -> list[LearnedGraph]:
        """Graph of each image: pairs in both directions, with their score, and kept if a head keeps either direction.

        Parameters
        ----------
        scores
            In [0, 1], (*rows, slots); an edge has the mean over heads and both directions.
        kept
            bool, broadcasts against ``scores``.
        """


@dataclass(frozen=True)
class AllPairs(Pairs):
    """Every two nodes of each image; rows are (B, H, n), slots n.

    Attributes
    ----------
    nodes
        bool (B, n), True for real nodes.
    n_real
        How many these are; None where nobody has counted them.
    """

    nodes: Tensor
    n_real: int | None = None

    @cached_property
    def mask(self) -> Tensor:  # type: ignore[override]
        """Pairs of two different real nodes, bool (B, 1, n, n)."""
        pairs = self.nodes.unsqueeze(2) & self.nodes.unsqueeze(1)
        return (pairs & ~torch.eye(self.nodes.shape[1], dtype=torch.bool, device=self.nodes.device)).unsqueeze(1)

    @property
    def most_neighbours(self) -> int:
        """All others of the largest image."""
        return self.nodes.shape[1] - 1

    def products(self, h: Tensor) -> Tensor:
        """From (B, H, n, p) to (B, H, n, n)."""
        return h @ h.transpose(2, 3)

    def distances(self, coords: Tensor) -> Tensor:
        """From (B, n, 2) to (B, 1, n, n)."""
        return torch.cdist(coords, coords).unsqueeze(1)

    def of_targets(self, values: Tensor) -> Tensor:
        """From (B, H, n) to (B, H, 1, n)."""
        return values.unsqueeze(-2)

    def weighted_sums(self, weights: Tensor, h: Tensor) -> Tensor:
        """From (B, H, n, n) and (B, n, d) to (B, n, H * d)."""
        return (weights @ h.unsqueeze(1)).transpose(1, 2).flatten(start_dim=2)

    def mean(self, values: Tensor) -> Tensor:
        """Over (B, H, n, n), padding and diagonal included, as the published penalty has it."""
        return values.mean()

    def over_heads(self, values: Tensor) -> Tensor:
        """From (B, H, n) to (N,)."""
        mean, real = values.mean(dim=1).flatten(), self.nodes.flatten()
        # Of a known number of nodes nothing waits for a device to count them.
        places = real.nonzero() if self.n_real is None else real.nonzero_static(size=self.n_real)
        return mean[places.squeeze(1)]

    def learned_graphs(self, scores: Tensor, kept: Tensor) -> list[LearnedGraph]:
        """All pairs of each image."""
        one_way = scores.mean(dim=1)
        score = (one_way + one_way.transpose(1, 2)) / 2
        keeps = (kept & self.mask).any(dim=1)
        keeps = keeps | keeps.transpose(1, 2)
        return [_complete_graph(s[:n, :n], k[:n, :n]) for s, k, n in zip(score, keeps, self._sizes, strict=True)]

    @property
    def _sizes(self) -> list[int]:
        sizes: list[int] = self.nodes.sum(dim=1).tolist()
        return sizes


def _complete_graph(score: Tensor, kept: Tensor) -> LearnedGraph:
    """All pairs of different nodes, from (n, n)."""
    source, target = (~torch.eye(len(score), dtype=torch.bool, device=score.device)).nonzero(as_tuple=True)
    return LearnedGraph(
        edge_index=torch.stack([source, target]).cpu().numpy(),
        weight=score[source, target].float().cpu().numpy(),
        kept=kept[source, target].cpu().numpy(),
    )
