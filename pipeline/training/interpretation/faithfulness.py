"""Whether evidence is faithful: what happens to a prediction when what it names goes first, or comes first.

Deletion takes patches or edges away, insertion adds them to nothing, in some order; the
probability of the predicted class is followed (Petsiuk et al. 2018, arXiv 1806.07421).
Evidence is faithful if by its order the probability falls and rises sooner than by
chance, and worth more than the weight of edges if sooner than by theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.evidence import Evidence
from pipeline.artefacts.faithfulness import DELETION, DIRECTIONS, EVIDENCE, RANDOM, WEIGHT, Curves
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation.edge_evidence import Silencing, silenced_weights, silencing
from pipeline.training.interpretation.image_evidence import says
from pipeline.training.interpretation.node_evidence import average_patch, without

FRACTIONS = np.linspace(0, 1, 11)
"""Shares of patches or edges that have gone, or come."""

RANDOM_ORDERS = 4
"""Orders by chance whose mean curve is compared with."""


@dataclass(frozen=True)
class Explained:
    """One image with what is known of it.

    Attributes
    ----------
    model, image
        The model and the image.
    graph, evidence
        What ``graphs.zarr`` and ``evidence.zarr`` hold of it.
    """

    model: TrainedModel
    image: NodeImage
    graph: LearnedGraph
    evidence: Evidence

    @property
    def predicted(self) -> int:
        """Column of the predicted class."""
        return self.model.class_names.index(self.evidence.facts.predicted)


def patch_curves(explained: Explained, rng: np.random.Generator) -> Curves:
    """Curves of patches: by evidence, by the weight of their kept edges, and by chance."""
    n = explained.image.n_nodes
    strength = np.bincount(explained.graph.edge_index[0], explained.graph.weight * explained.graph.kept, n)
    orders = _orders(explained.evidence.node[:, explained.predicted], strength, rng)
    return _curves(orders, partial(_patches_kept, explained))


def edge_curves(explained: Explained, rng: np.random.Generator) -> Curves | None:
    """Curves of kept edges: by evidence, by weight, and by chance; None where no edge can be silenced."""
    silenced = silencing(explained.model.network, explained.image, explained.model.temperature)
    if isinstance(silenced, str):
        return None
    source, target = explained.graph.edge_index
    once = np.flatnonzero(explained.graph.kept & (source < target))
    orders = _orders(explained.evidence.edge[once], explained.graph.weight[once], rng)
    return _curves(orders, partial(_edges_kept, explained, silenced, once))


def _orders(evidence: npt.NDArray[Any], weight: npt.NDArray[Any], rng: np.random.Generator) -> dict[str, list[Int64s]]:
    """Rank of each part by order: 0 goes or comes first; ties as they stand."""
    random = [rng.permutation(len(evidence)) for _ in range(RANDOM_ORDERS)]
    return {EVIDENCE: [_ranks(-evidence)], WEIGHT: [_ranks(-weight)], RANDOM: random}


def _ranks(values: npt.NDArray[Any]) -> Int64s:
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _curves(orders: Mapping[str, list[Int64s]], probabilities: "partial[Float64s]") -> Curves:
    return {
        direction: {
            name: np.mean([probabilities(ranks, direction == DELETION) for ranks in ranked], axis=0).tolist()
            for name, ranked in orders.items()
        }
        for direction in DIRECTIONS
    }


def _first(n_parts: int) -> Int64s:
    """How many parts have gone or come at each fraction."""
    return np.asarray(np.round(FRACTIONS * n_parts), np.int64)


def _patches_kept(explained: Explained, ranks: Int64s, deletes: bool) -> Float64s:
    """Probability at each fraction; where no patch is left, that of one average patch."""
    image = explained.image
    left_out = [(ranks < first) if deletes else (ranks >= first) for first in _first(len(ranks))]
    images = [average_patch(image) if gone.all() else without(image, gone) for gone in left_out]
    return _probability(says(explained.model, images)[:, explained.predicted])


@torch.no_grad()
def _edges_kept(explained: Explained, silenced: Silencing, once: Int64s, ranks: Int64s, deletes: bool) -> Float64s:
    edges = explained.graph.edge_index[:, once]
    gone = [(ranks < first) if deletes else (ranks >= first) for first in _first(len(ranks))]
    said = [silenced.log_odds_of(silenced_weights(silenced, edges[:, where])) for where in gone]
    return _probability(torch.cat(said)[:, explained.predicted])


def _probability(log_odds: Tensor) -> Float64s:
    return np.asarray(torch.sigmoid(log_odds.double()).cpu().numpy())
