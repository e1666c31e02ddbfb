"""Whether evidence is faithful: what happens to a prediction when what it names goes first, or comes first.

Deletion takes patches or edges away, insertion adds them to nothing, in some order; the
probability of the predicted class is followed (Petsiuk et al. 2018, arXiv 1806.07421).
Evidence is faithful if by its order the probability falls and rises sooner than by
chance, and worth more than the weight of edges if sooner than by theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.evidence import Evidence
from pipeline.artefacts.faithfulness import DELETION, DIRECTIONS, EVIDENCE, RANDOM, WEIGHT, Curves
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation.edge_evidence import Silencing, log_odds_without, silencing
from pipeline.training.interpretation.image_evidence import says
from pipeline.training.interpretation.node_evidence import average_patch, without

FRACTIONS = np.linspace(0, 1, 11)
"""Shares of patches or edges that have gone, or come."""

RANDOM_ORDERS = 4
"""Orders by chance whose mean curve is compared with."""

PATCHES_AT_ONCE = 1 << 17
"""Guard on memory: patches of an image's copies that are put together at once."""

Probabilities = Callable[[Sequence[Bools]], Float64s]
"""Probability of the predicted class (k,) without the parts of an image for which each of k masks is True."""


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
    return _curves(orders, partial(_without_patches, explained))


def edge_curves(explained: Explained, rng: np.random.Generator) -> Curves | None:
    """Curves of kept edges: by evidence, by weight, and by chance; None where no edge can be silenced."""
    silenced = silencing(explained.model.network, explained.image, explained.model.temperature)
    if isinstance(silenced, str):
        return None
    source, target = explained.graph.edge_index
    once = np.flatnonzero(explained.graph.kept & (source < target))
    orders = _orders(explained.evidence.edge[once], explained.graph.weight[once], rng)
    return _curves(orders, partial(_without_edges, explained, silenced, explained.graph.edge_index[:, once]))


def _orders(evidence: npt.NDArray[Any], weight: npt.NDArray[Any], rng: np.random.Generator) -> dict[str, list[Int64s]]:
    """Rank of each part by order: 0 goes or comes first; ties as they stand."""
    random = [rng.permutation(len(evidence)) for _ in range(RANDOM_ORDERS)]
    return {EVIDENCE: [_ranks(-evidence)], WEIGHT: [_ranks(-weight)], RANDOM: random}


def _ranks(values: npt.NDArray[Any]) -> Int64s:
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _curves(orders: Mapping[str, list[Int64s]], probabilities: Probabilities) -> Curves:
    """Curves of all orders in both directions, whose points are asked for together."""
    gone = [
        (ranks < first) if direction == DELETION else (ranks >= first)
        for direction in DIRECTIONS
        for ranked in orders.values()
        for ranks in ranked
        for first in _first(len(ranks))
    ]
    curves = iter(probabilities(gone).reshape(-1, len(FRACTIONS)))
    return {
        direction: {name: np.mean([next(curves) for _ in ranked], axis=0).tolist() for name, ranked in orders.items()}
        for direction in DIRECTIONS
    }


def _first(n_parts: int) -> Int64s:
    """How many parts have gone or come at each fraction."""
    return np.asarray(np.round(FRACTIONS * n_parts), np.int64)


def _without_patches(explained: Explained, gone: Sequence[Bools]) -> Float64s:
    """See ``Probabilities``; where no patch is left, that of one average patch."""
    image, said = explained.image, []
    at_once = max(1, PATCHES_AT_ONCE // image.n_nodes)
    for first in range(0, len(gone), at_once):
        masks = gone[first : first + at_once]
        said.append(
            says(explained.model, [average_patch(image) if out.all() else without(image, out) for out in masks])
        )
    return _probability(torch.cat(said)[:, explained.predicted])


def _without_edges(explained: Explained, silenced: Silencing, edges: Int64s, gone: Sequence[Bools]) -> Float64s:
    """See ``Probabilities``."""
    return _probability(log_odds_without(silenced, edges, gone)[:, explained.predicted])


def _probability(log_odds: Tensor) -> Float64s:
    return np.asarray(torch.sigmoid(log_odds.double()).numpy())
