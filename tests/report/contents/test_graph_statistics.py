from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.learned_graphs import LearnedGraph, LearnedGraphs
from pipeline.artefacts.predictions import read_predictions
from pipeline.errors import ArtefactError
from pipeline.report.contents import graph_statistics as module
from pipeline.report.contents.graph_statistics import (
    ImageGraph,
    kept_pairs,
    measure,
    node_strength,
    reach,
    read_image_graphs,
    summarise,
)
from pipeline.report.contents.report_sources import ReportSources


def graph(edges: list[tuple[int, int, float, bool]]) -> LearnedGraph:
    ends = np.array([edge[:2] for edge in edges], np.int64).reshape(-1, 2).T
    return LearnedGraph(ends, np.array([e[2] for e in edges], np.float32), np.array([e[3] for e in edges], bool))


SQUARE = np.array([[0, 0], [100, 0], [0, 100], [100, 100]])
LEARNED = graph([(0, 1, 0.8, True), (1, 0, 0.8, True), (2, 0, 0.6, True), (0, 2, 0.1, False), (3, 2, 0.2, True)])


def image(learned: LearnedGraph, corners: np.ndarray = SQUARE) -> ImageGraph:
    return ImageGraph("s", "a", "b", learned, corners.astype(np.int64), 100.0)


def test_a_pair_weighs_the_mean_of_its_kept_directions() -> None:
    pairs, weight = kept_pairs(LEARNED)
    assert pairs.tolist() == [[0, 1], [0, 2], [2, 3]]
    np.testing.assert_allclose(weight, [0.8, 0.3, 0.1], rtol=1e-6)


def test_strength_sums_the_pairs_of_a_patch() -> None:
    np.testing.assert_allclose(node_strength(*kept_pairs(LEARNED), 4), [1.1, 0.8, 0.4, 0.1], rtol=1e-6)


def test_no_edge_no_pair() -> None:
    pairs, weight = kept_pairs(graph([(0, 1, 0.5, False)]))
    assert pairs.shape == (0, 2)
    assert node_strength(pairs, weight, 3).tolist() == [0, 0, 0]


def test_reach_is_one_for_all_pairs_alike_and_small_for_neighbours() -> None:
    everyone = graph([(i, j, 0.3, True) for i in range(4) for j in range(4) if i != j])
    assert reach(image(everyone)) == pytest.approx(1.0)
    # Sides 100, diagonals 100 sqrt 2: the mean distance of the six pairs.
    mean = (4 * 100 + 2 * 100 * np.sqrt(2)) / 6
    assert reach(image(graph([(0, 1, 0.9, True)]))) == pytest.approx(100 / mean)


@pytest.mark.parametrize("corners", [SQUARE[:1], np.zeros((3, 2))])
def test_reach_is_undefined_without_distance(corners: np.ndarray) -> None:
    edges = [(0, len(corners) - 1, 0.5, True)] if len(corners) > 1 else []
    assert reach(image(graph(edges), corners)) is None


def test_summary_by_hand() -> None:
    summary = summarise([measure(image(LEARNED)), measure(image(graph([])))])
    assert summary.n_images == 2
    assert summary.patches == 4
    assert summary.degree == pytest.approx((4 / 4 + 0) / 2)
    assert summary.kept_share == pytest.approx(4 / 5)
    assert summary.weight == pytest.approx((0.8 + 0.8 + 0.6 + 0.2) / 4)
    assert summary.histogram.sum() == 4


def test_summary_of_nothing() -> None:
    summary = summarise([])
    assert (summary.n_images, summary.patches, summary.degree, summary.reach) == (0, None, None, None)


def test_a_graph_that_does_not_fit_its_features_is_refused(standard_run: ReportSources) -> None:
    row = pd.DataFrame([{"slide_id": "s00", "seed": 0, "fold": 0, "label": "benign", "predicted": "benign"}])
    (fitting,) = read_image_graphs(standard_run, "default", row)
    assert fitting.n_patches == 9
    assert fitting.width_l0 == 96.0
    sources = ReportSources(**{**vars(standard_run), "features": {"s00": standard_run.features["x00"]}})
    with pytest.raises(ArtefactError, match=r"graphs.zarr/s00: edge to patch 8, but its features hold 0 patches"):
        next(read_image_graphs(sources, "default", row))


def test_a_store_is_opened_once_for_all_its_images(
    standard_run: ReportSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Counted(LearnedGraphs):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(module, "LearnedGraphs", Counted)
    fold = read_predictions(standard_run.fold_folder("default", 0, 0) / "predictions.csv").assign(seed=0, fold=0)
    assert len([*read_image_graphs(standard_run, "default", fold)]) == len(fold) > 1
    assert len(opened) == 1
