"""The published generator: an MLP on every two nodes."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.errors import CohortError
from pipeline.training.graphs.adjacency import PairAdjacency
from pipeline.training.graphs.edge_kernels import at_least_float32
from pipeline.training.graphs.generator import GraphGenerator
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.graphs.pairs import AllPairs

PAIR_MLP_WIDTHS = (32, 16)
"""Hidden widths of the published pair MLP (code of Paul et al. 2025)."""

TAU_START, TAU_DECAY, TAU_FLOOR = 1.0, 0.98, 0.1
"""Published temperature of the relaxation: start, factor an iteration, least value."""

PUBLISHED_CUT = 0.5
"""Score above which a pair is an edge."""


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
        """Logit of every ordered pair, (B, n, n), from x (B, n, d).

        The first layer on [x_i; x_j] is the sum of two layers on x_i and x_j, which
        spares the (n, n, 2d) tensor.
        """
        left, right = self.first.weight.chunk(2, dim=1)
        pairs = linear(x, left, self.first.bias).unsqueeze(2) + linear(x, right).unsqueeze(1)
        logits: Tensor = self.rest(pairs).squeeze(-1)
        return logits

    def forward(self, batch: ImageBatch) -> PairAdjacency:
        """Relaxed symmetric adjacency of one head, its diagonal 1; noisy in training.

        Raises
        ------
        CohortError
            If the batch has no room for a number of every pair.
        """
        pairs, logits = _pairs(batch), self.logits(batch.x)
        noisy = self.training or self.stochastic_evaluation
        relaxed = self._relaxed(logits) if noisy else torch.sigmoid(logits / self.relaxation)
        identity = torch.diag_embed(pairs.nodes.to(relaxed.dtype))
        return PairAdjacency(pairs, _symmetric(relaxed) * pairs.mask + identity.unsqueeze(1))

    def _relaxed(self, logits: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        draws = [torch.sigmoid((logits + standard_gumbel(logits)) / self.relaxation) for _ in range(self.draws)]
        return torch.stack(draws).mean(dim=0)

    @torch.no_grad()
    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Noise-free symmetric adjacency; kept where it exceeds the published cut."""
        pairs = _pairs(batch)
        score = _symmetric(torch.sigmoid(self.logits(batch.x) / self.relaxation)) * pairs.mask
        return pairs.learned_graphs(score, score > PUBLISHED_CUT)


def _pairs(batch: ImageBatch) -> AllPairs:
    if batch.all_pairs is None:
        sizes = ", ".join(map(str, batch.sizes))
        raise CohortError(
            f"pair_mlp scores every pair of patches, hence takes images of at most training.dense_limit; found {sizes}."
        )
    return batch.all_pairs


def _symmetric(relaxed: Tensor) -> Tensor:
    """Mean of (B, n, n) and its transpose, (B, 1, n, n)."""
    return ((relaxed + relaxed.transpose(1, 2)) / 2).unsqueeze(1)


def standard_gumbel(like: Tensor) -> Tensor:
    """Standard Gumbel draws, -log(Exp(1)), of the shape and type of ``like``: single precision or more.

    In bfloat16 the tail would be a few steps, and equal draws would be common.
    """
    return -torch.empty_like(like).exponential_().clamp_min(torch.finfo(like.dtype).tiny).log()
