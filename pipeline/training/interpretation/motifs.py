"""Which kinds of patches a graph joins more, or less, than it would join them by chance.

Kinds are clusters of patches by their standardised features over the whole cohort.  The
weight of kept edges between two kinds is compared with that where the same graph's patches
exchange their kinds at random within the image: the graph, its weights and how often each
kind occurs there stay.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.cluster import KMeans

from pipeline.arrays import Float32s, Float64s, Int64s
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.interpretation.class_tests import false_discovery

MOST_CLUSTERED = 20_000
"""Patches from which centres are found; others go to their nearest centre."""

EXAMPLES = 8
"""Example patches of a kind, from different slides as far as there are."""


@dataclass(frozen=True)
class Kinds:
    """Clusters of patches.

    Attributes
    ----------
    centre
        float64 (k, d), standardised features.
    """

    centre: Float64s

    def distances(self, x: Float32s) -> Float64s:
        """Distance of each patch (n, d) to each centre, (n, k)."""
        square = (x.astype(np.float64) ** 2).sum(axis=1)[:, None] - 2 * x @ self.centre.T + (self.centre**2).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(square, 0)))

    def of(self, x: Float32s) -> Int64s:
        """Kind of each patch, int64 (n,)."""
        return np.asarray(self.distances(x).argmin(axis=1), np.int64)


def find_kinds(images: Mapping[str, Float32s], n_kinds: int, seed: int) -> Kinds:
    """Centres of ``n_kinds`` clusters (k-means) of the patches of all images; fewer where there are fewer patches.

    Parameters
    ----------
    images
        Standardised features (n, d) by slide; each gives its share of at most MOST_CLUSTERED patches.
    """
    rng = np.random.default_rng(seed)
    most = max(1, MOST_CLUSTERED // max(len(images), 1))
    drawn = [x if len(x) <= most else x[rng.choice(len(x), most, replace=False)] for x in images.values()]
    x = np.concatenate(drawn)
    fitted = KMeans(min(n_kinds, len(np.unique(x, axis=0))), n_init=4, random_state=seed).fit(x)
    return Kinds(np.asarray(fitted.cluster_centers_, np.float64))


def joined_weight(graph: LearnedGraph, kinds: Int64s, n_kinds: int) -> Float64s:
    """Weight of kept edges between kinds, each edge once, float64 (k, k), symmetric."""
    return _between(_kept(graph, len(kinds)), kinds, n_kinds)


def null_weights(graph: LearnedGraph, kinds: Int64s, n_kinds: int, n_drawn: int, rng: np.random.Generator) -> Float64s:
    """The same with kinds exchanged at random within the image, float64 (n_drawn, k, k)."""
    kept = _kept(graph, len(kinds))
    return np.stack([_between(kept, rng.permutation(kinds), n_kinds) for _ in range(n_drawn)])


def _kept(graph: LearnedGraph, n_nodes: int) -> csr_array:
    source, target = graph.edge_index[:, graph.kept]
    weight = graph.weight[graph.kept].astype(np.float64)
    return csr_array((weight, (source, target)), shape=(n_nodes, n_nodes))


def _between(kept: csr_array, kinds: Int64s, n_kinds: int) -> Float64s:
    one_hot = np.eye(n_kinds)[kinds]
    total = one_hot.T @ (kept @ one_hot)
    # Both directions of an edge: within a kind they fall on one entry.
    np.fill_diagonal(total, total.diagonal() / 2)
    return np.asarray(total)


def enrichment(observed: Float64s, null: Float64s, label: str) -> pd.DataFrame:
    """Enrichment of each pair of kinds in the images of a class, one row a pair.

    Columns ``label``, ``one``, ``other``, ``weight``, ``expected`` (mean under the null), ``log2_ratio``,
    ``z``, ``p`` (two-sided, by permutation, never 0) and ``q`` over the pairs of the class.

    Parameters
    ----------
    observed
        float64 (k, k), sum over the images of the class.
    null
        float64 (n_drawn, k, k), likewise.
    """
    rows = []
    for one, other in itertools.combinations_with_replacement(range(len(observed)), 2):
        by_chance, weight = null[:, one, other], observed[one, other]
        expected, spread = float(by_chance.mean()), float(by_chance.std(ddof=1))
        extreme = int((np.abs(by_chance - expected) >= abs(weight - expected)).sum())
        ratio = math.log2(weight / expected) if weight > 0 and expected > 0 else math.nan
        rows.append(
            {
                "label": label,
                "one": one,
                "other": other,
                "weight": float(weight),
                "expected": expected,
                "log2_ratio": ratio,
                "z": (weight - expected) / spread if spread > 0 else math.nan,
                "p": (extreme + 1) / (len(by_chance) + 1) if spread > 0 else math.nan,
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(q=false_discovery(table["p"].to_numpy()))


def example_patches(images: Mapping[str, Float32s], kinds: Kinds) -> list[list[tuple[str, int]]]:
    """By kind, slide and row of the patches nearest to its centre, one of a slide, the nearest first.

    Parameters
    ----------
    images
        Patches (n, d) by slide_id, in the space of the kinds.
    """
    found: list[list[tuple[float, str, int]]] = [[] for _ in kinds.centre]
    for slide_id, x in images.items():
        distances = kinds.distances(x)
        nearest = distances.argmin(axis=1)
        for kind, nearby in enumerate(found):
            rows = np.flatnonzero(nearest == kind)
            if len(rows):
                row = int(rows[distances[rows, kind].argmin()])
                nearby.append((float(distances[row, kind]), slide_id, row))
    return [[(slide_id, row) for _, slide_id, row in sorted(nearby)[:EXAMPLES]] for nearby in found]


def telling_features(kinds: Kinds, names: Sequence[str], n_told: int) -> list[list[tuple[str, float]]]:
    """By kind, the features in which its centre is farthest from the average patch, in SD of patches."""
    order = np.argsort(-np.abs(kinds.centre), axis=1, kind="stable")[:, :n_told]
    return [
        [(names[column], float(centre[column])) for column in columns]
        for columns, centre in zip(order, kinds.centre, strict=True)
    ]
