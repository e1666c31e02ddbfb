"""How far two learned graphs of one image agree."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.learned_graphs import LearnedGraph

LEAST_CORRELATION = 0.5
"""Mean weight correlation below which graphs are not read; ours."""


@dataclass(frozen=True)
class Agreement:
    """Of two graphs of one image.

    Attributes
    ----------
    correlation
        Pearson's r of the weights of pairs, a pair that one has not counted 0 there; NaN where
        either does not vary.
    jaccard
        Kept pairs of both over those of either; NaN where neither keeps any.
    chance
        The same of as many pairs kept at random in each, expected.
    """

    correlation: float
    jaccard: float
    chance: float


def agreement(one: LearnedGraph, other: LearnedGraph, n_nodes: int) -> Agreement:
    """Agreement of two graphs of an image of ``n_nodes`` patches."""
    pairs, place = np.unique(np.concatenate([_names(one, n_nodes), _names(other, n_nodes)]), return_inverse=True)
    places = np.split(place, [len(_names(one, n_nodes))])
    placed = list(zip(places, (one, other), strict=True))
    first, second = (_at(where, graph.weight, len(pairs), graph) for where, graph in placed)
    keeps, keeps_too = (_at(where, graph.kept, len(pairs), graph) > 0 for where, graph in placed)
    return Agreement(_pearson(first, second), *_overlap(keeps, keeps_too, n_nodes * (n_nodes - 1) // 2))


def _once(graph: LearnedGraph) -> Bools:
    return np.asarray(graph.edge_index[0] < graph.edge_index[1])


def _names(graph: LearnedGraph, n_nodes: int) -> Int64s:
    source, target = graph.edge_index[:, _once(graph)]
    return np.asarray(source * n_nodes + target)


def _at(places: Int64s, values: npt.NDArray[Any], n_pairs: int, graph: LearnedGraph) -> Float64s:
    at = np.zeros(n_pairs)
    at[places] = values[_once(graph)]
    return at


def _pearson(one: Float64s, other: Float64s) -> float:
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _overlap(one: Bools, other: Bools, n_pairs: int) -> tuple[float, float]:
    either = (one | other).sum()
    if not either:
        return math.nan, math.nan
    first, second = one.sum() / n_pairs, other.sum() / n_pairs
    chance = first * second / (first + second - first * second)
    return float((one & other).sum() / either), float(chance)
