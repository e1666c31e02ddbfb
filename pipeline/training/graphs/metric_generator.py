"""The ``metric`` generator: who is near under a learned metric sends messages."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.graphs.adjacency import PairAdjacency
from pipeline.training.graphs.candidates import DEFAULT_CANDIDATES, CandidatePairs, CandidateParams, CandidateSearch
from pipeline.training.graphs.edge_kernels import OWN_KERNELS, EdgeKernels
from pipeline.training.graphs.generator import GraphGenerator
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.graphs.pairs import Pairs

SETTLED_GAIN = 0.1
"""Length of a step of a pre-trained metric, over that of one that starts at random."""

MASKED = -1e9
"""Guard: score of an excluded pair before softmax; finite, so that empty rows have gradients."""


@dataclass(frozen=True)
class MetricParams:
    """Shape and start of a metric.

    Attributes
    ----------
    heads, projection
        Number of heads and dimensions of each.
    temperature
        Start of t_h.
    target_degree
        Entries kept in a row and head; 0 keeps all.
    spatial_term
        Whether s_h is learned (from 0) or absent.
    """

    heads: int
    projection: int
    temperature: float
    target_degree: int = 0
    spatial_term: bool = False


class Metric(GraphGenerator):
    r"""Ours: heads of cosine similarity between learned projections.

    .. math:: A^h_{ij} = \mathrm{softmax}_{j \ne i}\big(t_h \cos(W_h x_i, W_h x_j) - s_h \log(1 + r_{ij})\big)

    with a learned factor t_h > 0 a head and, if asked for, a learned weight s_h on the
    distance r in tile sides.  With a target degree only the largest entries of a row are
    kept and renormalised; gradients pass as if all were (straight-through, Bengio et
    al. 2013).

    The softmax of a row is over all others where a batch has room for every pair, and else
    over candidates.  Similarity moves as the metric learns, so candidates are searched anew
    in each epoch of training, and at every use in evaluation, which makes a prediction a
    function of the weights and the image alone.

    W and log t are each a weight plus a buffer that starts at 0.  Weight decay pulls the
    weight to 0, hence to what ``settle`` has put into the buffer: to W = 0 and t = 1 at
    first, to the pre-trained metric later (L2-SP, Li et al. 2018, arXiv 1802.01483).  From
    then on a weight counts SETTLED_GAIN of itself, so that steps are that much shorter.

    Parameters
    ----------
    n_features
        Node features d.
    params
        Heads, projections and what is kept.
    candidates
        Which edges are candidates.
    kernels
        How sums along candidate edges are taken.
    """

    settled_projection: Tensor
    settled_log_temperature: Tensor
    gain: Tensor
    contrast: Tensor
    signature: Tensor

    def __init__(
        self,
        n_features: int,
        params: MetricParams,
        candidates: CandidateParams = DEFAULT_CANDIDATES,
        kernels: EdgeKernels = OWN_KERNELS,
    ) -> None:
        super().__init__()
        heads = params.heads
        self.heads = heads
        self.target_degree = params.target_degree
        self.search = CandidateSearch(candidates)
        self.kernels = kernels
        self.project = nn.Linear(n_features, heads * params.projection, bias=False)
        self.log_temperature = nn.Parameter(torch.full((heads,), math.log(params.temperature)))
        self.distance_weight = nn.Parameter(torch.zeros(heads)) if params.spatial_term else None
        self.register_buffer("settled_projection", torch.zeros_like(self.project.weight))
        self.register_buffer("settled_log_temperature", torch.zeros(heads))
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("contrast", torch.zeros(()))
        self.register_buffer("signature", torch.zeros(()))

    @torch.no_grad()
    def remember(self, contrast: float, signature: float) -> None:
        """Keep what pre-training found on held-out images, in nats: likely partners, and what all patches share."""
        self.contrast.fill_(contrast)
        self.signature.fill_(signature)

    @torch.no_grad()
    def settle(self) -> None:
        """Move the weights of the metric into its buffers; the graph stays, and moves little from now on."""
        for weight, buffer in (
            (self.project.weight, self.settled_projection),
            (self.log_temperature, self.settled_log_temperature),
        ):
            buffer.add_(self.gain * weight)
            weight.zero_()
        self.gain.fill_(SETTLED_GAIN)

    def start_epoch(self, epoch: int) -> None:
        """Forget the candidates of the epoch before."""
        self.search.forget()

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; the latter keeps no candidates."""
        if not mode:
            self.search.forget()
        return super().train(mode)

    def directions(self, x: Tensor) -> Tensor:
        """Unit vectors (..., H, n, p) of nodes x (..., n, d); zero where the projection is."""
        projected: Tensor = linear(x, self.gain * self.project.weight + self.settled_projection)
        return normalize(projected.reshape(*x.shape[:-1], self.heads, -1).transpose(-3, -2), dim=-1)

    def factors(self) -> Tensor:
        """Factor t of each head, (H, 1, 1)."""
        return (self.gain * self.log_temperature + self.settled_log_temperature).exp()[:, None, None]

    def forward(self, batch: ImageBatch) -> PairAdjacency:
        """Adjacency whose rows sum to 1, or to 0 without others."""
        pairs, logits = self.logits(batch)
        if not self._sparsifies(pairs):
            return PairAdjacency(pairs, _shares(pairs, logits))
        largest = logits.masked_fill(~self._largest(logits), MASKED)
        if not self.training:
            return PairAdjacency(pairs, _shares(pairs, largest))
        # The gradient of all pairs, with the weights of the largest.
        sparse, dense = _shares(pairs, largest.detach()), _shares(pairs, logits)
        return PairAdjacency(pairs, sparse + dense - dense.detach())

    def logits(self, batch: ImageBatch) -> tuple[Pairs, Tensor]:
        """Pairs of a batch and their scaled similarity (*rows, slots); what is no pair holds MASKED."""
        direction = self.directions(batch.x)
        pairs = batch.all_pairs or self._candidates(batch, direction)
        logits = pairs.products(direction) * self.factors()
        if self.distance_weight is not None:
            logits = logits - self.distance_weight[:, None, None] * pairs.distances(batch.coords).log1p()
        return pairs, logits.masked_fill(~pairs.mask, MASKED)

    def _candidates(self, batch: ImageBatch, direction: Tensor) -> CandidatePairs:
        detached = direction.detach().float()
        candidates = self.search.of_images(batch.images, detached, remember=self.training)
        return CandidatePairs(candidates, batch.sizes, self.kernels)

    def _sparsifies(self, pairs: Pairs) -> bool:
        return 0 < self.target_degree < pairs.most_neighbours

    def _largest(self, logits: Tensor) -> Tensor:
        places = logits.topk(self.target_degree, dim=-1).indices
        return torch.zeros_like(logits, dtype=torch.bool).scatter(-1, places, value=True)

    @torch.no_grad()
    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Mean over heads and both directions of the row-softmax before sparsification.

        A weight is thus the share of their attention two patches give each other.  Kept
        are the pairs that a head keeps in either direction.
        """
        pairs, logits = self.logits(batch)
        kept = self._largest(logits) if self._sparsifies(pairs) else pairs.mask
        return pairs.learned_graphs(logits.softmax(dim=-1), kept)


def _shares(pairs: Pairs, logits: Tensor) -> Tensor:
    """Softmax of logits (*rows, slots) over the pairs of each row, 0 for what is no pair."""
    return logits.softmax(dim=-1) * pairs.mask
