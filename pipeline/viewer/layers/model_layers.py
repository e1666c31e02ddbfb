"""What a model says of a slide: learned edges by region, evidence of patches."""

from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.evidence import EvidenceStore
from pipeline.artefacts.learned_graphs import LearnedGraph, read_learned_graph
from pipeline.errors import ArtefactError
from pipeline.viewer.layers.patch_layer import PatchLayer
from pipeline.viewer.layers.spatial_index import Box
from pipeline.viewer.results.results_folder import Model

MOST_PAIRS = 3000
"""Pairs in view that are sent, the heaviest first."""

GALLERY = 12
"""Patches named for and against a prediction."""

SPEAKING_FEATURES = 6
"""Features named of each of them."""


class GraphLayer:
    """Learned graph of a slide by one model; a pair's weight is the mean of its two directions, 0 where not kept.

    Raises
    ------
    ArtefactError
        If it is damaged or joins patches that the slide has not.
    """

    def __init__(self, model: Model, slide_id: str, patches: PatchLayer) -> None:
        self.graph: LearnedGraph = read_learned_graph(model.graphs, slide_id)
        n_patches = len(patches.corners)
        if int(self.graph.edge_index.max(initial=-1)) >= n_patches:
            raise ArtefactError(
                f"{model.graphs}/{slide_id}: joins patches beyond the {n_patches} that its features hold. Train again."
            )
        ends = np.sort(self.graph.edge_index[:, self.graph.kept], axis=0)
        keys, first, inverse = np.unique(ends[0] * n_patches + ends[1], return_index=True, return_inverse=True)
        weight = np.bincount(inverse, self.graph.weight[self.graph.kept].astype(np.float64), len(keys)) / 2
        order = np.argsort(-weight, kind="stable")
        self.first: Int64s = np.flatnonzero(self.graph.kept)[first][order]
        self.pairs: Int64s = np.stack([keys // max(n_patches, 1), keys % max(n_patches, 1)], axis=1)[order]
        self.weight: Float64s = weight[order]
        self._middles: Float64s = patches.corners + patches.side / 2

    def in_box(self, box_l0: Box, heaviest: int) -> dict[str, Any]:
        """Of the ``heaviest`` pairs those with an end in a box: ``a``, ``b``, ``weight``, ``rank``; ``n`` of them."""
        inside = ((self._middles >= box_l0[:2]) & (self._middles < box_l0[2:])).all(axis=1)
        near = np.flatnonzero(inside[self.pairs[:heaviest]].any(axis=1))
        shown = near[:MOST_PAIRS]
        a, b = self.pairs[shown].T
        return {
            "a": a,
            "b": b,
            "weight": self.weight[shown],
            "rank": shown,
            "n": len(near),
            "n_pairs": len(self.weight),
        }

    def strength(self) -> Float64s:
        """Summed weight (n_patches,) of the pairs that touch each patch."""
        weight = np.bincount(self.pairs.ravel(), np.repeat(self.weight, 2), len(self._middles))
        return weight.astype(np.float64)


def evidence_of(model: Model, slide_id: str, graph: GraphLayer | None) -> dict[str, Any] | None:
    """Evidence of patches for each class, of pairs for the predicted one, and who spoke most; None where none is.

    Raises
    ------
    ArtefactError
        If it is damaged.
    """
    if model.evidence is None or not model.evidence.is_dir():
        return None
    store = EvidenceStore(model.evidence)
    if slide_id not in store.slide_ids:
        return None
    evidence = store.of(slide_id)
    spoke = evidence.node[:, store.header.classes.index(evidence.facts.predicted)]
    order = np.argsort(-spoke, kind="stable")
    supporting, opposing = order[spoke[order] > 0][:GALLERY], order[::-1][spoke[order[::-1]] < 0][:GALLERY]
    has_edges = graph is not None and evidence.facts.edge_reason is None
    return {
        "classes": store.header.classes,
        "node": evidence.node.T.astype(np.float64),
        "edge": evidence.edge[graph.first].astype(np.float64) if has_edges and graph is not None else None,
        "for": supporting,
        "against": opposing,
        "features": {
            str(node): _spoken(evidence.feature[node], store.header.feature_names) for node in (*supporting, *opposing)
        },
        **asdict(evidence.facts),
    }


def _spoken(values: Any, names: tuple[str, ...]) -> list[tuple[str, float]]:
    order = np.argsort(-np.abs(values), kind="stable")[:SPEAKING_FEATURES]
    return [(names[place], float(values[place])) for place in order if values[place]]
