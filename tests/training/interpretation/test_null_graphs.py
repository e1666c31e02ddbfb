import numpy as np
import pytest

from pipeline.training.interpretation.null_graphs import excess_metrics, random_graph
from tests.training.interpretation.test_graph_agreement import graph


def test_a_graph_by_chance_has_the_same_size_and_weights():
    own = graph([(0, 1), (1, 2), (2, 3)], [0.1, 0.2, 0.3])
    drawn = random_graph(own, 8, np.random.default_rng(0))
    source, target = drawn.edge_index
    assert len({(a, b) for a, b in zip(source.tolist(), target.tolist(), strict=True)}) == 6
    assert sorted(drawn.weight[:3].tolist()) == sorted(own.weight[:3].tolist())
    np.testing.assert_array_equal(drawn.edge_index[:, 3:], drawn.edge_index[::-1, :3])


def test_size_alone_has_no_excess_and_structure_has():
    ring = graph([(i, (i + 1) % 12) for i in range(12)] + [(i, (i + 2) % 12) for i in range(12)], [0.5] * 24)
    excess = excess_metrics(ring, 12, 30, np.random.default_rng(0))
    assert [excess["n_edges"], excess["density"]] == pytest.approx([0, 0])
    assert excess["weight_mean"] == pytest.approx(0, abs=1e-6)
    assert excess["clustering_mean"] > 0.1
