import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData

from pipeline.errors import CohortError
from pipeline.exports.graphs.node_transforms import KeptEdges, Moments, Standardise

NAN = float("nan")


def graph(*rows):
    return Data(x=torch.tensor(rows, dtype=torch.float32), edge_index=torch.zeros(2, 0, dtype=torch.long))


def test_by_hand():
    train = [graph([1.0, 5.0], [3.0, 5.0]), graph([5.0, 5.0])]
    standard = Standardise.fit(train)(graph([3.0, 5.0], [3.0 + np.sqrt(8 / 3), 7.0]))
    np.testing.assert_allclose(standard.x, [[0, 0], [1, 0]], atol=1e-6)
    assert standard.x.dtype == torch.float32


def test_one_slide_after_the_other_is_all_at_once():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(1e4, 3, (60, 4)).astype(np.float32))
    x[rng.random((60, 4)) < 0.3] = NAN
    parts = [Data(x=part) for part in x.split([1, 0, 20, 39])]
    moments = Standardise.fit(parts).moments[None]
    np.testing.assert_allclose(moments.mean, np.nanmean(x.double(), axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.scale(), np.nanstd(x.double(), axis=0), rtol=1e-9)
    np.testing.assert_array_equal(moments.count, (~x.isnan()).sum(0))
    together = Standardise.fit(parts)(Data(x=x)).x
    np.testing.assert_allclose(together.mean(0), 0, atol=1e-5)


def test_the_undefined_and_the_constant_become_zero():
    transform = Standardise.fit([graph([1.0, 0.1, NAN], [NAN, 0.1, NAN], [3.0, 0.1, NAN])])
    assert transform(graph([NAN, 0.1, NAN], [3.0, 9.0, 4.0])).x.tolist() == [[0, 0, 0], [1, 0, 0]]


def test_the_graph_itself_and_all_but_x_stay():
    given = graph([1.0], [3.0])
    given.pos = torch.ones(2, 2)
    standard = Standardise.fit([given])(given)
    assert given.x.tolist() == [[1], [3]]
    assert standard.pos is given.pos


def test_each_node_type_has_its_own():
    hetero = HeteroData()
    hetero["nucleus"].x, hetero["patch"].x = torch.tensor([[1.0], [3.0]]), torch.tensor([[10.0, 1.0], [30.0, 2.0]])
    standard = Standardise.fit([hetero])(hetero)
    assert standard["nucleus"].x.tolist() == [[-1], [1]]
    assert standard["patch"].x.tolist() == [[-1, -1], [1, 1]]


@pytest.mark.parametrize("graphs", [[], [Data(x=torch.zeros(0, 2))]])
def test_nothing_to_fit_on_is_an_error(graphs):
    with pytest.raises(CohortError, match="found none"):
        Standardise.fit(graphs)


def test_a_large_mean_does_not_eat_a_small_spread():
    moments = Moments.of(torch.tensor([[1e6], [1e6 + 1]])).merged(Moments.of(torch.tensor([[1e6 + 2]])))
    np.testing.assert_allclose(moments.scale(), np.sqrt(2 / 3), rtol=1e-9)


def test_kept_edges_alone():
    learned = Data(
        x=torch.ones(3, 1),
        edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        edge_weight=torch.tensor([0.1, 0.2, 0.3, 0.4]),
        edge_kept=torch.tensor([False, False, True, True]),
    )
    kept = KeptEdges()(learned)
    assert kept.edge_index.tolist() == [[1, 2], [2, 1]]
    np.testing.assert_allclose(kept.edge_weight, [0.3, 0.4])
    assert "edge_kept" not in kept
    assert learned.num_edges == 4


def test_kept_edges_of_the_learned_relation_alone():
    hetero = HeteroData()
    for relation in ("near", "learned"):
        hetero["patch", relation, "patch"].edge_index = torch.tensor([[0, 1], [1, 0]])
    hetero["patch", "learned", "patch"].edge_weight = torch.ones(2)
    hetero["patch", "learned", "patch"].edge_kept = torch.tensor([True, False])
    kept = KeptEdges()(hetero)
    assert kept["patch", "near", "patch"].num_edges == 2
    assert kept["patch", "learned", "patch"].edge_index.tolist() == [[0], [1]]
