"""The ``metric`` generator on candidate edges: no score of every pair, for images of many patches.

The candidates of a node are, in each head, its nearest others by that head's similarity,
and its nearest in space.  Similarity moves as the metric learns, so they are searched anew
in each epoch of training, and at every use in evaluation, which makes a prediction a
function of the weights and the image alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.graphs.generators import MASKED, Metric
from pipeline.training.graphs.neighbour_search import most_similar, nearest_in_space
from pipeline.training.graphs.packed_batches import PackedGraphs
from pipeline.training.graphs.padded_batches import NodeImage
from pipeline.training.graphs.sparse_kernels import Pattern, dots, product
from pipeline.tunables import Number, check

NODES_REMEMBERED = 524_288
"""Guard on memory: nodes of all images whose candidates are kept in an epoch; the oldest go first."""


@dataclass(frozen=True)
class CandidateParams:
    """Which edges are candidates.

    Attributes
    ----------
    similar
        Nearest nodes by similarity, of each node and head, 1 to 1024.
    spatial
        Nearest nodes in space, of each node, 0 to 1024; 8 are those around a tile.
    """

    similar: int = 16
    spatial: int = 8

    def __post_init__(self) -> None:
        check("candidates.similar", self.similar, Number(1, 1024, is_whole=True))
        check("candidates.spatial", self.spatial, Number(0, 1024, is_whole=True))


@dataclass(frozen=True)
class Candidates:
    """K slots for the neighbours of each node in each head.

    Attributes
    ----------
    neighbour
        int32 (H, N, K), numbers of nodes; in an empty slot the node's own.
    filled
        bool (H, N, K), whether a slot holds a neighbour; no neighbour is held twice.
    """

    neighbour: Tensor
    filled: Tensor

    @cached_property
    def pattern(self) -> Pattern:
        """Entries of a matrix (H * N, H * N) with a block for each head."""
        n_heads, n_nodes, _ = self.neighbour.shape
        base = n_nodes * torch.arange(n_heads, dtype=torch.int32, device=self.neighbour.device)
        return Pattern((self.neighbour + base.view(-1, 1, 1)).flatten(0, 1), n_heads * n_nodes)


@dataclass(frozen=True)
class CandidateWeights:
    """Adjacency on candidate edges: weights float32 (H, N, K), 0 in empty slots."""

    candidates: Candidates
    weights: Tensor

    def messages(self, h: Tensor) -> Tensor:
        """Weighted sums of h (N, d) over the candidates of each node, one head after the other, float32 (N, H * d)."""
        n_heads = len(self.weights)
        rows = product(self.weights.flatten(0, 1), self.candidates.pattern, h.repeat(n_heads, 1))
        return rows.view(n_heads, *h.shape).transpose(0, 1).flatten(1)

    def effective_degree(self) -> Tensor:
        """(sum_j A_ij)^2 / sum_j A_ij^2 of each node, mean over heads, (N,); 0 without neighbours."""
        square = self.weights.square().sum(dim=2)
        degree = self.weights.sum(dim=2).square() / torch.where(square > 0, square, torch.ones_like(square))
        return degree.mean(dim=0)


class SparseMetric(Metric):
    """``Metric``, with the same weights by the same names, that also takes packed graphs.

    On packed graphs the softmax of a row is over its candidates.  Where these are all
    pairs, weights are those of ``Metric``.

    Parameters
    ----------
    candidates
        Which edges are candidates.
    n_features, heads, projection, temperature, target_degree, spatial_term
        As of ``Metric``.
    """

    def __init__(
        self,
        n_features: int,
        *,
        heads: int,
        projection: int,
        temperature: float,
        target_degree: int = 0,
        spatial_term: bool = False,
        candidates: CandidateParams = CandidateParams(),
    ) -> None:
        super().__init__(
            n_features,
            heads=heads,
            projection=projection,
            temperature=temperature,
            target_degree=target_degree,
            spatial_term=spatial_term,
        )
        self.candidate_params = candidates
        # By the identity of an image, which is held beside so that no other can take it over.
        self._searched: dict[int, tuple[NodeImage, Candidates]] = {}

    def start_epoch(self, epoch: int) -> None:
        """Forget the candidates of the epoch before."""
        super().start_epoch(epoch)
        self._searched.clear()

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; the latter keeps no candidates, nor the images they belong to."""
        if not mode:
            self._searched.clear()
        return super().train(mode)

    def sparse_weights(self, graphs: PackedGraphs) -> CandidateWeights:
        """Row-stochastic adjacency on the candidates of each node."""
        candidates, logits = self._sparse_logits(graphs)
        dense = logits.softmax(dim=2) * candidates.filled
        if not self._has_spare_slots(logits):
            return CandidateWeights(candidates, dense)
        sparse = logits.masked_fill(~self._largest(logits), MASKED).softmax(dim=2) * candidates.filled
        straight = sparse.detach() + dense - dense.detach() if self.training else sparse
        return CandidateWeights(candidates, straight)

    def _has_spare_slots(self, logits: Tensor) -> bool:
        return 0 < self.target_degree < logits.shape[2]

    def _sparse_logits(self, graphs: PackedGraphs) -> tuple[Candidates, Tensor]:
        """Candidates, and their scaled similarity (H, N, K); empty slots hold MASKED."""
        direction = self.directions(graphs.x.unsqueeze(0)).squeeze(0)
        candidates = joined([*self._candidates_of_images(graphs, direction.detach().float())])
        rows = direction.flatten(0, 1)
        cosine = dots(rows, candidates.pattern, rows).view_as(candidates.filled)
        logits = cosine * self.factors()
        if self.distance_weight is not None:
            apart = graphs.coords[candidates.neighbour] - graphs.coords.unsqueeze(1)
            logits = logits - self.distance_weight.view(-1, 1, 1) * apart.norm(dim=3).log1p()
        return candidates, logits.masked_fill(~candidates.filled, MASKED)

    def _candidates_of_images(self, graphs: PackedGraphs, direction: Tensor) -> Iterator[Candidates]:
        for image, part in zip(graphs.images, torch.split(direction, graphs.sizes, dim=1), strict=True):
            if self.training and id(image) in self._searched:
                yield self._searched[id(image)][1]
                continue
            found = find_candidates(part, image.coords, self.candidate_params)
            if self.training:
                self._remember(image, found)
            yield found

    def _remember(self, image: NodeImage, found: Candidates) -> None:
        self._searched[id(image)] = image, found
        n_nodes = sum(len(remembered.x) for remembered, _ in self._searched.values())
        while n_nodes > NODES_REMEMBERED:
            oldest, _ = self._searched.pop(next(iter(self._searched)))
            n_nodes -= len(oldest.x)

    @torch.no_grad()
    def sparse_graphs(self, graphs: PackedGraphs) -> list[LearnedGraph]:
        """Candidate edges of each image, in both directions, with the weights and ``kept`` of ``scores``."""
        candidates, logits = self._sparse_logits(graphs)
        kept = candidates.filled
        if self._has_spare_slots(logits):
            kept = self._largest(logits) & kept
        weights = logits.softmax(dim=2) * candidates.filled
        slots = (candidates.neighbour, candidates.filled, weights, kept)
        parts = zip(*(torch.split(slot, graphs.sizes, dim=1) for slot in slots), strict=True)
        starts = np.cumsum([0, *graphs.sizes[:-1]])
        return [_undirected(n - int(start), f, w, k) for start, (n, f, w, k) in zip(starts, parts, strict=True)]


def find_candidates(direction: Tensor, coords: Tensor, params: CandidateParams) -> Candidates:
    """Candidates of one image.

    Parameters
    ----------
    direction
        float32 (H, n, p), unit vectors.
    coords
        float32 (n, 2), in tile sides.
    """
    similar, found = most_similar(direction, params.similar)
    spatial = nearest_in_space(coords, params.spatial).expand(len(direction), -1, -1)
    again = (spatial.unsqueeze(3) == similar.unsqueeze(2)).any(dim=3)
    own = torch.arange(len(coords), device=coords.device).view(1, -1, 1)
    return Candidates(
        neighbour=torch.cat([similar, torch.where(again, own, spatial)], dim=2).int(),
        filled=torch.cat([found, ~again], dim=2),
    )


def joined(parts: list[Candidates]) -> Candidates:
    """Candidates of images one after the other, their nodes counted through; a slot at least, were all empty."""
    n_slots = max(1, *(part.filled.shape[2] for part in parts))
    starts = np.cumsum([0, *(part.filled.shape[1] for part in parts[:-1])])
    neighbours, filled = [], []
    for part, start in zip(parts, starts, strict=True):
        n_heads, n_nodes, n_used = part.filled.shape
        own = torch.arange(n_nodes, dtype=torch.int32, device=part.filled.device).view(1, -1, 1)
        empty = own.expand(n_heads, -1, n_slots - n_used)
        neighbours.append(torch.cat([part.neighbour, empty], dim=2) + int(start))
        filled.append(pad(part.filled, (0, n_slots - n_used)))
    return Candidates(torch.cat(neighbours, dim=1), torch.cat(filled, dim=1))


def _undirected(neighbour: Tensor, filled: Tensor, weights: Tensor, kept: Tensor) -> LearnedGraph:
    """Edges of one image; mean over heads and both directions, kept if a head keeps either."""
    n_heads, n_nodes, _ = filled.shape
    head, source, slot = filled.nonzero(as_tuple=True)
    target = neighbour[head, source, slot].long()
    names = torch.cat([source * n_nodes + target, target * n_nodes + source])
    share = weights[head, source, slot].double().repeat(2) / (2 * n_heads)
    edges, place = torch.unique(names, return_inverse=True)
    score = share.new_zeros(len(edges)).index_add_(0, place, share)
    keeps = score.new_zeros(len(edges)).index_add_(0, place, kept[head, source, slot].double().repeat(2))
    return LearnedGraph(
        edge_index=torch.stack([edges // n_nodes, edges % n_nodes]).cpu().numpy(),
        weight=score.float().cpu().numpy(),
        kept=(keeps > 0).cpu().numpy(),
    )
