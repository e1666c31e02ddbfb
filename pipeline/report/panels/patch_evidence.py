"""What spoke for and against a prediction, as a panel tells it."""

from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.evidence import Evidence, EvidenceHeader
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.errors import ArtefactError
from pipeline.report.contents.slide_selection import in_turn
from pipeline.report.panels.packed import packed_scaled

GALLERY = 8
"""Patches shown on either side of a prediction."""

SPEAKING_FEATURES = 5
"""Features named of each of these patches, by how much they spoke."""


class ShownEvidence:
    """Evidence in one image by one model.

    Attributes
    ----------
    supporting, opposing
        int64, patches with the most evidence for and against the predicted class, at most ``GALLERY`` each.

    Raises
    ------
    ArtefactError
        If it is not of the patches or edges of the slide.
    """

    def __init__(self, evidence: Evidence, header: EvidenceHeader, graph: LearnedGraph, where: str) -> None:
        if len(evidence.edge) != graph.edge_index.shape[1]:
            raise ArtefactError(
                f"{where}: evidence of {len(evidence.edge)} edges, but graphs.zarr beside it holds "
                f"{graph.edge_index.shape[1]}. Explain again (`snakemake --forcerun explain_fold`)."
            )
        self._evidence, self._header, self._graph = evidence, header, graph
        spoke = evidence.node[:, header.classes.index(evidence.facts.predicted)]
        order = np.argsort(-spoke, kind="stable")
        self.supporting: Int64s = order[spoke[order] > 0][:GALLERY]
        self.opposing: Int64s = order[::-1][spoke[order[::-1]] < 0][:GALLERY]

    def in_turn(self) -> list[int]:
        """Patches for and against, the strongest first."""
        return in_turn([self.supporting.tolist(), self.opposing.tolist()])

    def plain(self, pairs: Int64s | None) -> dict[str, Any]:
        """Ready for the page.

        Parameters
        ----------
        pairs
            int64 (n, 2), smaller node first: the pairs of which evidence is told; None without a graph.
        """
        facts = self._evidence.facts
        edge = None if facts.edge_reason or pairs is None else packed_scaled(self._of_pairs(pairs))
        gallery = [*self.supporting.tolist(), *self.opposing.tolist()]
        return {
            "classes": list(self._header.classes),
            "node": packed_scaled(self._evidence.node.astype(np.float64)),
            "edge": edge,
            "for": self.supporting.tolist(),
            "against": self.opposing.tolist(),
            "features": {str(node): self._spoken(node) for node in gallery},
            **asdict(facts),
        }

    def _of_pairs(self, pairs: Int64s) -> Float64s:
        """Evidence of each pair; both directions of an edge hold the same value."""
        ends = np.sort(self._graph.edge_index[:, self._graph.kept], axis=0)
        n_nodes = len(self._evidence.node)
        keys, first = np.unique(ends[0] * n_nodes + ends[1], return_index=True)
        values: Float64s = self._evidence.edge[self._graph.kept][first].astype(np.float64)
        found: Float64s = values[np.searchsorted(keys, pairs[:, 0] * n_nodes + pairs[:, 1])]
        return found

    def _spoken(self, node: int) -> list[tuple[str, float]]:
        """The features of a patch that spoke most, for or against."""
        spoke = self._evidence.feature[node]
        order = np.argsort(-np.abs(spoke), kind="stable")[:SPEAKING_FEATURES]
        return [(self._header.feature_names[place], round(float(spoke[place]), 4)) for place in order if spoke[place]]
