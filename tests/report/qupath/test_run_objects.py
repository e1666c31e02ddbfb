import json

import numpy as np
import pytest

from pipeline.artefacts.evidence import Evidence, EvidenceFacts
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.report.qupath import run_objects
from pipeline.report.qupath.run_objects import SlideOfRun, run_features

ENDS = np.array([[0, 1, 1, 2, 0, 2], [1, 0, 2, 1, 2, 0]])
GRAPH = LearnedGraph(ENDS, np.float32([0.2, 0.2, 0.6, 0.6, 0.1, 0.1]), np.array([True] * 4 + [False] * 2))
EVIDENCE = Evidence(
    np.float32([[1, -1], [-2, 2], [0.5, -0.5]]),
    np.float32([0.3, 0.3, -0.4, -0.4, 0, 0]),
    np.zeros((3, 1), np.float32),
    EvidenceFacts("a", 1.0, 0.0, None, "occlusion", None, 1, 0.0),
)
CORNERS = np.array([[100, 200], [164, 200], [100, 264]])


def objects(**changes: object) -> list[dict]:
    said = {"probabilities": {"a": 0.75, "b": 0.25}, "evidence": EVIDENCE, "classes": ("a", "b"), **changes}
    slide = SlideOfRun("s", CORNERS, 64.0, GRAPH, **said)  # type: ignore[arg-type]
    return [json.loads(text) for text in run_features(slide)]


def test_patches_are_tiles_with_measurements_and_kept_edges_lines_heaviest_first() -> None:
    found = objects()
    assert [one["properties"]["objectType"] for one in found] == ["tile"] * 3 + ["annotation"] * 2
    patch = found[1]
    assert patch["geometry"]["coordinates"][0][0] == [164, 200]
    assert patch["properties"]["classification"]["name"] == "Speaks for b"
    assert patch["properties"]["measurements"] == pytest.approx(
        {"graph_node": 1, "strength": 0.8, "p_a": 0.75, "p_b": 0.25, "evidence_a": -2, "evidence_b": 2}
    )
    line = found[3]
    assert line["geometry"] == {"type": "LineString", "coordinates": [[196, 232], [132, 296]]}
    assert line["properties"]["measurements"] == pytest.approx({"weight": 0.6, "evidence": -0.4})
    assert len({one["id"] for one in found}) == 5


def test_without_evidence_patches_are_patches_and_edges_have_weights_alone() -> None:
    found = objects(evidence=None, classes=())
    assert found[0]["properties"]["classification"]["name"] == "Patch"
    assert found[-1]["properties"]["measurements"].keys() == {"weight"}


def test_the_frame_begins_at_the_scanned_part() -> None:
    found = objects(origin=(100, 150))
    assert found[0]["geometry"]["coordinates"][0][0] == [0, 50]
    assert found[3]["geometry"]["coordinates"][0] == [96, 82]


def test_the_heaviest_edges_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_objects, "MOST_EDGES", 1)
    lines = [one for one in objects() if one["properties"]["objectType"] == "annotation"]
    assert [line["properties"]["name"] for line in lines] == ["edge 1-2"]
