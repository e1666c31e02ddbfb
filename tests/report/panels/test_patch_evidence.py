import numpy as np
import pytest

from pipeline.artefacts.evidence import Evidence, EvidenceFacts, EvidenceHeader
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.errors import ArtefactError
from pipeline.report.panels.patch_evidence import ShownEvidence
from tests.report.panels.unpacking import unpacked

HEADER = EvidenceHeader(("a", "b"), ("first", "second"), "default")
FACTS = EvidenceFacts("b", 1.5, 0.5, 0.4, "occlusion", None, 1, 0.0)
GRAPH = LearnedGraph(
    np.array([[2, 0, 1, 2, 0, 1], [1, 2, 2, 0, 1, 0]]), np.full(6, 0.5, np.float32), np.array([1, 1, 1, 1, 0, 0], bool)
)
EVIDENCE = Evidence(
    np.array([[0.1, -0.1], [-0.4, 0.4], [0.0, 0.0]], np.float32),
    np.array([0.3, -0.2, 0.3, -0.2, 0, 0], np.float32),
    np.array([[0.5, -0.6], [0, 0.1], [0, 0]], np.float32),
    FACTS,
)


def test_patches_are_for_or_against_the_predicted_class() -> None:
    shown = ShownEvidence(EVIDENCE, HEADER, GRAPH, "store")
    assert shown.supporting.tolist() == [1]
    assert shown.opposing.tolist() == [0]
    assert shown.in_turn() == [1, 0]


def test_evidence_of_edges_goes_to_its_pair_whatever_the_order_of_edges() -> None:
    told = ShownEvidence(EVIDENCE, HEADER, GRAPH, "store").plain(np.array([[0, 2], [1, 2]]))
    assert unpacked(told["edge"]) * told["edge"]["scale"] == pytest.approx([-0.2, 0.3], abs=0.01)
    assert told["features"] == {"1": [("second", 0.1)], "0": [("second", -0.6), ("first", 0.5)]}
    assert (told["predicted"], told["without_edges"]) == ("b", 0.5)


def test_evidence_of_another_graph_is_refused() -> None:
    other = LearnedGraph(GRAPH.edge_index[:, :2], GRAPH.weight[:2], GRAPH.kept[:2])
    with pytest.raises(ArtefactError, match=r"store: evidence of 6 edges, but graphs.zarr beside it holds 2"):
        ShownEvidence(EVIDENCE, HEADER, other, "store")
