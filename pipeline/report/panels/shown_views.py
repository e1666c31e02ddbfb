"""What each model says of a slide: its prediction, learned graph and evidence, read once."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.artefacts.evidence import EvidenceStore
from pipeline.artefacts.learned_graphs import LearnedGraph, LearnedGraphs
from pipeline.errors import ArtefactError
from pipeline.report.panels.graph_pairs import MOST_JOINED, ShownGraph, most_joined
from pipeline.report.panels.panel_subjects import ModelView
from pipeline.report.panels.patch_evidence import ShownEvidence

STORES_OPEN = 32
"""Stores that a process keeps open for the next slide: those of one fold are shared by its slides."""


@dataclass(frozen=True)
class ShownView:
    """One model's view of a slide.

    Attributes
    ----------
    graph
        None where it joins no patches, or its graph was not stored.
    evidence
        None where none was computed.
    """

    view: ModelView
    graph: ShownGraph | None
    evidence: ShownEvidence | None

    @property
    def gallery(self) -> list[int]:
        """Patches that spoke for the prediction and against it in turn, else the most joined ones."""
        if self.evidence is not None:
            return self.evidence.in_turn()
        return [] if self.graph is None else most_joined(self.graph.strength, MOST_JOINED).tolist()

    @property
    def ends(self) -> list[int]:
        """Ends of its heaviest pairs."""
        return [] if self.graph is None else self.graph.pairs.ravel().tolist()

    def plain(self) -> dict[str, Any]:
        """Ready for the page."""
        view, graph = self.view, self.graph
        return {
            "method": view.method,
            "seed": view.seed,
            "fold": view.fold,
            "predicted": view.predicted,
            "probabilities": dict(view.probabilities),
            "graph": None if graph is None else graph.plain(),
            "joined": [] if graph is None else most_joined(graph.strength, MOST_JOINED).tolist(),
            "evidence": None if self.evidence is None else self.evidence.plain(None if graph is None else graph.pairs),
        }


def shown_view(view: ModelView, slide_id: str, n_patches: int) -> ShownView:
    """Read graph and evidence of a slide by one model.

    Raises
    ------
    ArtefactError
        If they are damaged or not of the slide's patches.
    """
    if view.graphs is None or not view.graphs.is_dir():
        return ShownView(view, None, None)
    graph = _graphs(view.graphs).of(slide_id)
    _check_patches(int(graph.edge_index.max(initial=-1)) + 1, n_patches, view.graphs, slide_id)
    shown = ShownGraph(graph, n_patches)
    return ShownView(view, shown if shown.n_pairs else None, _evidence_of(view, slide_id, n_patches, graph))


def _evidence_of(view: ModelView, slide_id: str, n_patches: int, graph: LearnedGraph) -> ShownEvidence | None:
    if view.evidence is None or not view.evidence.is_dir():
        return None
    store = _evidence(view.evidence)
    if slide_id not in store.slide_ids:
        return None
    evidence = store.of(slide_id)
    _check_patches(len(evidence.node), n_patches, view.evidence, slide_id)
    return ShownEvidence(evidence, store.header, graph, f"{view.evidence}/{slide_id}")


def _check_patches(needed: int, n_patches: int, store: Path, slide_id: str) -> None:
    if needed > n_patches:
        raise ArtefactError(
            f"{store}/{slide_id}: is of {needed} patches or more, but the slide's features hold {n_patches}. "
            "Train again (`snakemake --forcerun train_fold`)."
        )


@lru_cache(STORES_OPEN)
def _graphs(path: Path) -> LearnedGraphs:
    return LearnedGraphs(path)


@lru_cache(STORES_OPEN)
def _evidence(path: Path) -> EvidenceStore:
    return EvidenceStore(path)
