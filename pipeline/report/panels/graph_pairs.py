"""The learned graph of a slide as a panel draws it: its heaviest pairs and how much each patch is joined."""

from typing import Any

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.report.contents.graph_statistics import kept_pairs, node_strength
from pipeline.report.panels.packed import packed_places, packed_scaled, packed_shares

MOST_PAIRS = 800
"""Heaviest pairs that a panel carries for one model; what it draws of them the reader chooses."""


MOST_JOINED = 8
"""Patches shown as the most joined ones."""


class ShownGraph:
    """Pairs of patches joined by kept edges, heaviest first.

    Attributes
    ----------
    pairs
        int64 (n, 2), at most ``MOST_PAIRS``.
    weight
        float64 (n,), mean of both directions.
    n_pairs
        All pairs that a kept edge joins.
    strength
        float64 (n_patches,), summed weight of all pairs that touch a patch.
    """

    def __init__(self, graph: LearnedGraph, n_patches: int) -> None:
        pairs, weight = kept_pairs(graph)
        self.n_pairs = len(pairs)
        self.strength: Float64s = node_strength(pairs, weight, n_patches)
        self.pairs: Int64s = pairs[:MOST_PAIRS]
        self.weight: Float64s = weight[:MOST_PAIRS]

    def plain(self) -> dict[str, Any]:
        """Ready for the page."""
        return {
            "ends": packed_places(self.pairs),
            "weight": packed_shares(self.weight),
            "nPairs": self.n_pairs,
            "strength": packed_scaled(self.strength),
        }


def most_joined(strength: Float64s, n: int) -> Int64s:
    """Up to ``n`` patches of the largest ``strength`` (n_patches,), the largest first, those without any left out."""
    order = np.argsort(-strength, kind="stable")[:n]
    joined: Int64s = order[strength[order] > 0]
    return joined
