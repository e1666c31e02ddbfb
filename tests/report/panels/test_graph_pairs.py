import numpy as np
import pytest

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.report.panels.graph_pairs import MOST_PAIRS, ShownGraph, most_joined
from tests.report.panels.unpacking import unpacked


def graph(ends: list[tuple[int, int]], weight: list[float]) -> LearnedGraph:
    return LearnedGraph(np.array(ends).T, np.array(weight, np.float32), np.ones(len(ends), bool))


def test_pairs_are_told_heaviest_first_with_the_mean_of_both_directions() -> None:
    shown = ShownGraph(graph([(0, 1), (1, 0), (1, 2), (2, 1)], [0.2, 0.4, 0.9, 0.5]), 4)
    told = shown.plain()
    assert unpacked(told["ends"]).tolist() == [1, 2, 0, 1]
    assert unpacked(told["weight"]) / 65535 == pytest.approx([0.7, 0.3], abs=1e-4)
    assert told["nPairs"] == 2
    assert shown.strength == pytest.approx([0.3, 1.0, 0.7, 0.0])
    assert most_joined(shown.strength, 4).tolist() == [1, 2, 0]


def test_of_a_large_graph_the_heaviest_pairs_are_carried_and_all_are_counted() -> None:
    ends = [(i, j) for i in range(50) for j in range(50) if i != j]
    shown = ShownGraph(graph(ends, [0.5] * len(ends)), 50)
    assert (len(shown.pairs), shown.n_pairs) == (MOST_PAIRS, 1225)
    assert shown.strength == pytest.approx(np.full(50, 24.5))
