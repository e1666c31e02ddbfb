"""Graph generators: from nodes of an image to weights between every two of them.

A generator maps a padded batch to ``weights`` (B, H, N, N), the H adjacency matrices the
classifier uses, and to noise-free ``scores`` (B, N, N) in [0, 1] with ``kept``, for
artefacts.  Rows and columns of padded nodes are zero.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from pipeline.training.graphs.padded_batches import GraphBatch

PAIR_MLP_WIDTHS = (32, 16)
"""Hidden widths of the published pair MLP (code of Paul et al. 2025)."""

TAU_START, TAU_DECAY, TAU_FLOOR = 1.0, 0.98, 0.1
"""Published temperature of the relaxation: start, factor an iteration, least value."""

SETTLED_GAIN = 0.1
"""Length of a step of a pre-trained metric, over that of one that starts at random."""

MASKED = -1e9
"""Guard: score of an excluded pair before softmax; finite, so that empty rows have gradients."""


class GraphGenerator(nn.Module, ABC):
    """Weights between the patches of an image."""

    dense = True
    """Whether every pair has a score, and not only the edges."""

    @abstractmethod
    def forward(self, batch: GraphBatch) -> Tensor:
        """Adjacency weights, float32 (B, H, N, N)."""

    @abstractmethod
    def scores(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Noise-free scores float32 (B, N, N) in [0, 1], symmetric, and kept bool (B, N, N)."""

    def start_epoch(self, epoch: int) -> None:
        """Take whatever schedule the generator has to ``epoch``, counted from 0."""

    @property
    def tau(self) -> float:
        """Temperature of the relaxation; NaN without one."""
        return math.nan


class PairMLP(GraphGenerator):
    r"""The published generator: an MLP on every ordered pair of nodes.

    .. math:: A_{ij} = \sigma\big((\mathrm{MLP}([x_i; x_j]) + g_{ij}) / \tau\big)

    with one standard Gumbel draw g (so P(A > 0.5) = 1 - 1/e at logit 0), averaged with
    its transpose, diagonal 1 (Paul et al. 2025, arXiv 2510.13188, and code).

    Parameters
    ----------
    n_features
        Node features d.
    draws
        Relaxed matrices averaged in a noisy pass.
    stochastic_evaluation
        Whether evaluation is noisy as well.
    """

    relaxation: Tensor

    def __init__(self, n_features: int, *, draws: int = 1, stochastic_evaluation: bool = False) -> None:
        super().__init__()
        first, second = PAIR_MLP_WIDTHS
        self.first = nn.Linear(2 * n_features, first)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 1))
        self.draws = draws
        self.stochastic_evaluation = stochastic_evaluation
        self.register_buffer("relaxation", torch.tensor(TAU_START))

    @property
    def tau(self) -> float:
        """Temperature of the relaxation, stored with the weights."""
        return float(self.relaxation)

    def start_epoch(self, epoch: int) -> None:
        """Lower tau by its factor for each epoch passed."""
        self.relaxation.fill_(max(TAU_FLOOR, TAU_START * TAU_DECAY**epoch))

    def logits(self, x: Tensor) -> Tensor:
        """Logit of every ordered pair, (B, N, N), from x (B, N, d).

        The first layer on [x_i; x_j] is the sum of two layers on x_i and x_j, which
        spares the (N, N, 2d) tensor.
        """
        left, right = self.first.weight.chunk(2, dim=1)
        pairs = linear(x, left, self.first.bias).unsqueeze(2) + linear(x, right).unsqueeze(1)
        logits: Tensor = self.rest(pairs).squeeze(-1)
        return logits

    def forward(self, batch: GraphBatch) -> Tensor:
        """Relaxed adjacency (B, 1, N, N), noisy in training."""
        logits = self.logits(batch.x)
        noisy = self.training or self.stochastic_evaluation
        relaxed = torch.sigmoid(logits / self.relaxation) if not noisy else self._relaxed(logits)
        return self._finished(relaxed, batch).unsqueeze(1)

    def _relaxed(self, logits: Tensor) -> Tensor:
        draws = [torch.sigmoid((logits + standard_gumbel(logits)) / self.relaxation) for _ in range(self.draws)]
        return torch.stack(draws).mean(dim=0)

    def _finished(self, relaxed: Tensor, batch: GraphBatch) -> Tensor:
        symmetric = (relaxed + relaxed.transpose(1, 2)) / 2
        identity = torch.diag_embed(batch.mask.to(symmetric.dtype))
        return symmetric * batch.pair_mask + identity

    def scores(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Noise-free symmetrised adjacency; kept where it exceeds 0.5, the published cut."""
        score = self._finished(torch.sigmoid(self.logits(batch.x) / self.relaxation), batch) * batch.pair_mask
        return score, score > 0.5


def standard_gumbel(like: Tensor) -> Tensor:
    """Standard Gumbel draws, -log(Exp(1)), of the shape of ``like``."""
    return -torch.empty_like(like).exponential_().clamp_min(torch.finfo(like.dtype).tiny).log()


class Metric(GraphGenerator):
    r"""Ours: heads of cosine similarity between learned projections.

    .. math:: A^h_{ij} = \mathrm{softmax}_{j \ne i}\big(t_h \cos(W_h x_i, W_h x_j) - s_h \log(1 + r_{ij})\big)

    with a learned factor t_h > 0 a head and, if asked for, a learned weight s_h on the
    distance r in tile sides.  With a target degree only the largest entries of a row are
    kept and renormalised; gradients pass as if all were (straight-through, Bengio et
    al. 2013).

    W and log t are each a weight plus a buffer that starts at 0.  Weight decay pulls the
    weight to 0, hence to what ``settle`` has put into the buffer: to W = 0 and t = 1 at
    first, to the pre-trained metric later (L2-SP, Li et al. 2018, arXiv 1802.01483).  From
    then on a weight counts SETTLED_GAIN of itself, so that steps are that much shorter.

    Parameters
    ----------
    n_features
        Node features d.
    heads, projection
        Number of heads and dimensions of each.
    temperature
        Start of t_h.
    target_degree
        Entries kept in a row and head; 0 keeps all.
    spatial_term
        Whether s_h is learned (from 0) or absent.
    """

    settled_projection: Tensor
    settled_log_temperature: Tensor
    gain: Tensor

    def __init__(
        self,
        n_features: int,
        *,
        heads: int,
        projection: int,
        temperature: float,
        target_degree: int = 0,
        spatial_term: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.target_degree = target_degree
        self.project = nn.Linear(n_features, heads * projection, bias=False)
        self.log_temperature = nn.Parameter(torch.full((heads,), math.log(temperature)))
        self.distance_weight = nn.Parameter(torch.zeros(heads)) if spatial_term else None
        self.register_buffer("settled_projection", torch.zeros_like(self.project.weight))
        self.register_buffer("settled_log_temperature", torch.zeros(heads))
        self.register_buffer("gain", torch.ones(()))

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

    def directions(self, x: Tensor) -> Tensor:
        """Unit vectors (B, H, N, p) of nodes x (B, N, d); zero where the projection is."""
        projected: Tensor = linear(x, self.gain * self.project.weight + self.settled_projection)
        by_head = projected.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
        return normalize(by_head, dim=-1)

    def factors(self) -> Tensor:
        """Factor t of each head, (H, 1, 1)."""
        return (self.gain * self.log_temperature + self.settled_log_temperature).exp()[:, None, None]

    def logits(self, batch: GraphBatch) -> Tensor:
        """Scaled similarity of every ordered pair, (B, H, N, N); excluded pairs hold MASKED."""
        direction = self.directions(batch.x)
        logits = direction @ direction.transpose(2, 3) * self.factors()
        if self.distance_weight is not None:
            distance = torch.cdist(batch.coords, batch.coords).log1p()
            logits = logits - self.distance_weight[:, None, None] * distance.unsqueeze(1)
        return logits.masked_fill(~batch.pair_mask.unsqueeze(1), MASKED)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Row-stochastic adjacency (B, H, N, N)."""
        logits = self.logits(batch)
        pairs = batch.pair_mask.unsqueeze(1)
        dense = logits.softmax(dim=-1) * pairs
        if not self._sparsifies(logits):
            return dense
        sparse = logits.masked_fill(~self._largest(logits), MASKED).softmax(dim=-1) * pairs
        return sparse.detach() + dense - dense.detach() if self.training else sparse

    def _sparsifies(self, logits: Tensor) -> bool:
        return 0 < self.target_degree < logits.shape[-1] - 1

    def _largest(self, logits: Tensor) -> Tensor:
        places = logits.topk(self.target_degree, dim=-1).indices
        return torch.zeros_like(logits, dtype=torch.bool).scatter(-1, places, value=True)

    def scores(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Mean over heads and over both directions of the row-softmax before sparsification.

        A weight is thus the share of their attention two patches give each other.  Kept
        are the pairs that a head keeps in either direction.
        """
        logits = self.logits(batch)
        dense = (logits.softmax(dim=-1) * batch.pair_mask.unsqueeze(1)).mean(dim=1)
        kept = batch.pair_mask
        if self._sparsifies(logits):
            one_way = self._largest(logits).any(dim=1) & batch.pair_mask
            kept = one_way | one_way.transpose(1, 2)
        return (dense + dense.transpose(1, 2)) / 2, kept
