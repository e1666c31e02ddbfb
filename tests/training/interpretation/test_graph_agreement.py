import numpy as np
import pytest

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.interpretation.graph_agreement import agreement


def graph(pairs, weights, kept=None):
    ends = np.array(pairs, np.int64).reshape(-1, 2).T
    weight = np.tile(np.array(weights, np.float32), 2)
    keeps = np.tile(np.ones(len(pairs), bool) if kept is None else np.array(kept), 2)
    return LearnedGraph(np.concatenate([ends, ends[::-1]], axis=1), weight, keeps)


def test_a_graph_agrees_with_itself():
    one = graph([(0, 1), (1, 2), (0, 3)], [0.1, 0.5, 0.9])
    found = agreement(one, one, 4)
    assert (found.correlation, found.jaccard) == (pytest.approx(1), 1)
    assert found.chance == pytest.approx(0.5 / 1.5)


def test_pairs_that_one_has_not_count_0_there():
    found = agreement(graph([(0, 1), (0, 2)], [0.8, 0.4]), graph([(1, 2), (0, 2)], [0.6, 0.2]), 3)
    assert found.correlation == pytest.approx(np.corrcoef([0.8, 0.4, 0.0], [0.0, 0.2, 0.6])[0, 1])
    assert found.jaccard == pytest.approx(1 / 3)


def test_edges_that_are_not_kept_are_not_in_the_overlap():
    one, other = graph([(0, 1), (1, 2)], [0.5, 0.1], [True, False]), graph([(0, 1), (1, 2)], [0.4, 0.3])
    assert agreement(one, other, 3).jaccard == 0.5


def test_without_edges_nothing_is_defined():
    found = agreement(graph([], []), graph([], []), 3)
    assert np.isnan([found.correlation, found.jaccard, found.chance]).all()
