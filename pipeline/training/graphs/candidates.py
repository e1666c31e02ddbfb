"""Candidate edges: the pairs of nodes that are scored in images too large for a score of every pair.

The candidates of a node are, in each head, its nearest others by that head's similarity,
and its nearest in space.  The former are searched anew in each epoch, once for an image;
the latter once for all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.graphs.edge_kernels import EdgeKernels, at_least_float32
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.graphs.neighbour_search import SpatialNeighbours, most_similar
from pipeline.training.graphs.pairs import Pairs
from pipeline.training.graphs.sparse_kernels import Pattern
from pipeline.tunables import Number, check

SPATIAL_NEIGHBOURS = SpatialNeighbours()
"""Of all images that are in memory, whatever generator asks for them."""

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


DEFAULT_CANDIDATES = CandidateParams()


@dataclass(frozen=True)
class Candidates:
    """K slots for the neighbours of each of n nodes in each head.

    Attributes
    ----------
    neighbour
        int32 (H, n, K), numbers of nodes; in an empty slot the node's own.
    filled
        bool (H, n, K), whether a slot holds a neighbour; no neighbour is held twice.
    """

    neighbour: Tensor
    filled: Tensor


@dataclass(frozen=True)
class CandidatePairs(Pairs):
    """Candidates of packed images; rows are (H, N), slots K.

    Attributes
    ----------
    candidates
        Of all images, their nodes counted through.
    sizes
        Nodes of each image.
    kernels
        How sums along edges are taken.
    """

    candidates: Candidates
    sizes: Sequence[int]
    kernels: EdgeKernels

    @property
    def mask(self) -> Tensor:  # type: ignore[override]
        """Filled slots, bool (H, N, K)."""
        return self.candidates.filled

    @property
    def most_neighbours(self) -> int:
        """All slots."""
        return self.candidates.filled.shape[2]

    @cached_property
    def pattern(self) -> Pattern:
        """Entries of a matrix (H * N, H * N) with a block for each head."""
        n_heads, n_nodes, _ = self.candidates.neighbour.shape
        base = n_nodes * torch.arange(n_heads, dtype=torch.int32, device=self.mask.device)
        return Pattern((self.candidates.neighbour + base.view(-1, 1, 1)).flatten(0, 1), n_heads * n_nodes)

    def products(self, h: Tensor) -> Tensor:
        """From (H, N, p) to (H, N, K), at least in single precision."""
        rows = at_least_float32(h.flatten(0, 1))
        return self.kernels.dots(rows, self.pattern, rows).view_as(self.mask)

    def distances(self, coords: Tensor) -> Tensor:
        """From (N, 2) to (H, N, K)."""
        distance: Tensor = (coords[self.candidates.neighbour] - coords.unsqueeze(1)).norm(dim=3)
        return distance

    def of_targets(self, values: Tensor) -> Tensor:
        """From (H, N) to (H, N, K)."""
        return values.flatten()[self.pattern.column].view_as(self.mask)

    def weighted_sums(self, weights: Tensor, h: Tensor) -> Tensor:
        """From (H, N, K) and (N, d) to (N, H * d), at least in single precision."""
        n_heads, every = len(weights), at_least_float32(h)
        weight = at_least_float32(weights.flatten(0, 1))
        sums = self.kernels.weighted_sums(weight, self.pattern, every.repeat(n_heads, 1))
        return sums.view(n_heads, *h.shape).transpose(0, 1).flatten(1)

    def mean(self, values: Tensor) -> Tensor:
        """Over the square of each image's size, in each head."""
        return values.sum() / (len(values) * sum(size**2 for size in self.sizes))

    def over_heads(self, values: Tensor) -> Tensor:
        """From (H, N) to (N,)."""
        return values.mean(dim=0)

    def learned_graphs(self, scores: Tensor, kept: Tensor) -> list[LearnedGraph]:
        """Pairs that are candidates in a head and direction; where they are not, they score 0."""
        slots = (self.candidates.neighbour, self.mask, scores, kept & self.mask)
        images = zip(*(torch.split(slot, list(self.sizes), dim=1) for slot in slots), strict=True)
        starts = np.cumsum([0, *self.sizes[:-1]]).tolist()
        return [
            _undirected(Candidates(neighbour - start, filled), score, keeps)
            for start, (neighbour, filled, score, keeps) in zip(starts, images, strict=True)
        ]


class CandidateSearch:
    """Finds candidates, and remembers in training those of each image until it is told to forget.

    Parameters
    ----------
    params
        Which edges are candidates.
    """

    def __init__(self, params: CandidateParams) -> None:
        self.params = params
        self._remembered: WeakKeyDictionary[NodeImage, Candidates] = WeakKeyDictionary()

    def forget(self) -> None:
        """Search anew from now on."""
        self._remembered.clear()

    def of_images(self, images: Sequence[NodeImage], direction: Tensor, *, remember: bool) -> Candidates:
        """Candidates of packed ``images``, whose unit vectors are ``direction`` (H, N, p)."""
        parts = torch.split(direction, [image.n_nodes for image in images], dim=1)
        return joined([*self._of_each(images, parts, remember=remember)])

    def _of_each(
        self, images: Sequence[NodeImage], directions: Sequence[Tensor], *, remember: bool
    ) -> Iterator[Candidates]:
        for image, direction in zip(images, directions, strict=True):
            if remember and image in self._remembered:
                yield self._remembered[image]
                continue
            candidates = find_candidates(direction, image.coords, self.params)
            if remember:
                self._remember(image, candidates)
            yield candidates

    def _remember(self, image: NodeImage, candidates: Candidates) -> None:
        self._remembered[image] = candidates
        n_nodes = sum(remembered.n_nodes for remembered in self._remembered)
        while n_nodes > NODES_REMEMBERED:
            oldest = next(iter(self._remembered))
            del self._remembered[oldest]
            n_nodes -= oldest.n_nodes


def find_candidates(direction: Tensor, coords: Tensor, params: CandidateParams) -> Candidates:
    """Candidates of one image.

    Parameters
    ----------
    direction
        float32 (H, n, p), unit vectors.
    coords
        float32 (n, 2), in tile sides.
    """
    similar, seen = most_similar(direction, params.similar)
    spatial = SPATIAL_NEIGHBOURS.of(coords, params.spatial).expand(len(direction), -1, -1)
    again = (spatial.unsqueeze(3) == similar.unsqueeze(2)).any(dim=3)
    own = torch.arange(len(coords), device=coords.device).view(1, -1, 1)
    return Candidates(
        neighbour=torch.cat([similar, torch.where(again, own, spatial)], dim=2).int(),
        filled=torch.cat([seen, ~again], dim=2),
    )


def joined(parts: Sequence[Candidates]) -> Candidates:
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


def _undirected(candidates: Candidates, scores: Tensor, kept: Tensor) -> LearnedGraph:
    """Edges of one image; mean over heads and both directions, kept if a head keeps either."""
    n_heads, n_nodes, _ = candidates.filled.shape
    head, source, slot = candidates.filled.nonzero(as_tuple=True)
    target = candidates.neighbour[head, source, slot].long()
    names = torch.cat([source * n_nodes + target, target * n_nodes + source])
    share = scores[head, source, slot].double().repeat(2) / (2 * n_heads)
    edges, place = torch.unique(names, return_inverse=True)
    score = share.new_zeros(len(edges)).index_add_(0, place, share)
    keeps = score.new_zeros(len(edges)).index_add_(0, place, kept[head, source, slot].double().repeat(2))
    return LearnedGraph(
        edge_index=torch.stack([edges // n_nodes, edges % n_nodes]).cpu().numpy(),
        weight=score.float().cpu().numpy(),
        kept=(keeps > 0).cpu().numpy(),
    )
