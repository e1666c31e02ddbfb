"""Graphs that are not learned: what a learned graph is compared with."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.edge_kernels import OWN_KERNELS, EdgeKernels, at_least_float32
from pipeline.training.graphs.generator import GraphGenerator
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PackedBatch
from pipeline.training.graphs.neighbour_search import most_similar, nearest_in_space
from pipeline.training.graphs.sparse_kernels import Neighbours

EDGES_REMEMBERED = 33_554_432
"""Guard on memory (20 bytes each): edges of all images that are kept; later images are searched at each use."""


@dataclass(frozen=True)
class FixedAdjacency(Adjacency):
    """The mean over the neighbours of each node, in one head.

    Attributes
    ----------
    neighbours
        Edges of packed images.
    sizes
        Nodes of each image.
    kernels
        How sums along edges are taken.
    """

    neighbours: Neighbours
    sizes: Sequence[int]
    kernels: EdgeKernels

    def messages(self, h: Tensor) -> Tensor:
        """Means of neighbours, (N, d) from (N, d), at least in single precision; 0 without any."""
        return self.kernels.neighbour_means(at_least_float32(h), self.neighbours)

    def symmetrically_normalised(self) -> "FixedAdjacency":
        """Itself: its rows sum to 1, or to 0 without neighbours."""
        return self

    def mean_weight(self) -> Tensor:
        """Nodes with neighbours over pairs of nodes."""
        return (self.neighbours.degree > 0).sum() / sum(size**2 for size in self.sizes)

    def effective_degree(self) -> Tensor:
        """Neighbours of each node, float32 (N,)."""
        return self.neighbours.degree.float()


@dataclass(frozen=True)
class ScoredEdges:
    """Edges of one image.

    Attributes
    ----------
    edge_index
        int64 (2, E), both directions, by source, then by target.
    score
        float32 (E,) in [0, 1].
    """

    edge_index: Tensor
    score: Tensor


class FixedGraph(GraphGenerator):
    """Each node's nearest others, made mutual; images are searched once.

    Parameters
    ----------
    degree
        Nearest neighbours of a node before making them mutual; 0, or more than there are,
        takes all others.
    dense_limit
        Most nodes of an image in which every two are compared; larger ones are searched,
        which needs a ``degree`` above 0.
    kernels
        How sums along edges are taken.
    """

    batch_kind = PackedBatch
    """There are few edges in images of any size."""

    def __init__(self, degree: int, dense_limit: int, kernels: EdgeKernels = OWN_KERNELS) -> None:
        super().__init__()
        self.degree = degree
        self.dense_limit = dense_limit
        self.kernels = kernels
        self._edges: WeakKeyDictionary[NodeImage, ScoredEdges] = WeakKeyDictionary()
        self._most_kept = 0

    @abstractmethod
    def closeness(self, image: NodeImage) -> Tensor:
        """What makes neighbours near, (n, n); larger is nearer."""

    @abstractmethod
    def nearest(self, image: NodeImage) -> tuple[Tensor, Tensor | None]:
        """Nearest others of each node without comparing every two, int64 (n, k), and which count, bool or None."""

    @abstractmethod
    def score(self, image: NodeImage, edge_index: Tensor) -> Tensor:
        """Score in [0, 1] of each edge, (E,)."""

    def edges(self, image: NodeImage) -> ScoredEdges:
        """Edges of an image in both directions, none twice, and their scores."""
        return self._remembered(image, image.x) if image not in self._edges else self._edges[image]

    def _edges_in(self, batch: ImageBatch) -> list[ScoredEdges]:
        """Edges of each image of a batch, whose features are there already."""
        packed = batch.packed()
        return [
            self._edges[image] if image in self._edges else self._remembered(image, x)
            for image, x in zip(batch.images, torch.split(packed.x, batch.sizes), strict=True)
        ]

    def _remembered(self, image: NodeImage, x: Tensor) -> ScoredEdges:
        """Edges of an image with features ``x``, which are kept where there is room."""
        held = NodeImage(x, image.coords, image.label)
        few = image.n_nodes <= self.dense_limit
        nearest, counts = (self._nearest_of_all(held), None) if few else self.nearest(held)
        edge_index = mutual(nearest, counts)
        edges = ScoredEdges(edge_index, self.score(held, edge_index))
        if self._has_room(len(edges.score)):
            self._edges[image] = edges
        return edges

    def _has_room(self, n_edges: int) -> bool:
        """Whether so many edges more may be kept; those of images that are gone are counted only while all fit."""
        self._most_kept += n_edges
        if self._most_kept > EDGES_REMEMBERED:
            self._most_kept = sum(len(kept.score) for kept in self._edges.values()) + n_edges
        return self._most_kept <= EDGES_REMEMBERED

    def _nearest_of_all(self, image: NodeImage) -> Tensor:
        n_nodes = image.n_nodes
        closeness = self.closeness(image).fill_diagonal_(-torch.inf)
        return closeness.topk(min(self.degree or n_nodes, n_nodes - 1), dim=-1).indices

    def forward(self, batch: ImageBatch) -> FixedAdjacency:
        """Means over neighbours in packed images."""
        starts = accumulate(batch.sizes, initial=0)
        shifted = [e.edge_index + start for e, start in zip(self._edges_in(batch), starts, strict=False)]
        return FixedAdjacency(Neighbours(torch.cat(shifted, dim=1), sum(batch.sizes)), batch.sizes, self.kernels)

    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """The edges alone, all kept."""
        return [_all_kept(edges) for edges in self._edges_in(batch)]


class CosineGraph(FixedGraph):
    """Nearest by cosine similarity of standardised features, after C2P-GCN (Paul et al. 2024, arXiv 2403.04962).

    The published graph cuts at a threshold whose value is not known; a number of
    neighbours needs none.
    """

    def closeness(self, image: NodeImage) -> Tensor:
        """Cosine similarity."""
        direction = normalize(image.x, dim=-1)
        return direction @ direction.T

    def nearest(self, image: NodeImage) -> tuple[Tensor, Tensor]:
        """As far as ``most_similar`` sees."""
        number, seen = most_similar(normalize(image.x, dim=-1).unsqueeze(0), self.degree)
        return number[0], seen[0]

    def score(self, image: NodeImage, edge_index: Tensor) -> Tensor:
        """Cosine similarity, negative ones 0."""
        source, target = normalize(image.x, dim=-1)[edge_index]
        cosine: Tensor = (source * target).sum(dim=-1)
        return cosine.clamp(0, 1)


class SpatialGraph(FixedGraph):
    """Nearest by distance of the tiles."""

    def closeness(self, image: NodeImage) -> Tensor:
        """Negative distance in tile sides."""
        distance: Tensor = torch.cdist(image.coords, image.coords, compute_mode="donot_use_mm_for_euclid_dist")
        return -distance

    def nearest(self, image: NodeImage) -> tuple[Tensor, None]:
        """Nearest in space."""
        return nearest_in_space(image.coords, self.degree), None

    def score(self, image: NodeImage, edge_index: Tensor) -> Tensor:
        """Always 1."""
        return image.x.new_ones(edge_index.shape[1])


def mutual(nearest: Tensor, counts: Tensor | None = None) -> Tensor:
    """Edges between each node and its ``nearest``, made mutual, int64 (2, E), by source, then by target.

    Parameters
    ----------
    nearest
        int64 (n, k), numbers of other nodes.
    counts
        bool (n, k), which of them are neighbours; None means all.
    """
    n_nodes = len(nearest)
    node = torch.arange(n_nodes, device=nearest.device).unsqueeze(1).expand_as(nearest)
    edges = torch.stack([node, nearest])
    source, target = edges.flatten(1) if counts is None else edges[:, counts]
    named: Tensor = torch.cat([source * n_nodes + target, target * n_nodes + source]).unique()  # type: ignore[no-untyped-call]
    return torch.stack([named // n_nodes, named % n_nodes])


def _all_kept(edges: ScoredEdges) -> LearnedGraph:
    return LearnedGraph(
        edge_index=edges.edge_index.cpu().numpy(),
        weight=edges.score.cpu().numpy(),
        kept=np.ones(len(edges.score), dtype=np.bool_),
    )


FIXED_GRAPHS: dict[str, type[FixedGraph]] = {"cosine": CosineGraph, "spatial": SpatialGraph}
"""Fixed graphs by the name that a method gives them."""
