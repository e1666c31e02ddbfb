import numpy as np
import pytest
import torch

from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.methods.presets import METHODS


@pytest.fixture
def network():
    torch.manual_seed(0)
    return PooledAndGraph.from_spec(METHODS["default"], 5, 2, n_members=3, n_pooled=2).eval()


@torch.no_grad()
def test_logits_are_so_much_of_the_pooled_path_and_of_the_graph_models_by_their_votes(network, batch):
    network.keep(votes=(0.5, 0.3, 0.2), pooled=0.5, graph=0.25, alone=0.75)
    pooled = network.pooled(batch)
    graph = sum(vote * member(batch) for vote, member in zip((0.5, 0.3, 0.2), network.members, strict=True))
    torch.testing.assert_close(network(batch), 0.5 * pooled + 0.25 * graph)
    torch.testing.assert_close(network.without_graph(batch), 0.75 * pooled)


@torch.no_grad()
def test_a_graph_path_that_is_refused_is_not_computed(network, batch):
    network.keep(votes=(0.5, 0.5, 0), pooled=1.0, graph=0.0, alone=1.0)
    for member in network.members:
        member.adjacency = None
    torch.testing.assert_close(network(batch), network.without_graph(batch))


@torch.no_grad()
def test_a_pooled_path_that_is_silent_is_not_computed(network, batch):
    network.keep(votes=(0.5, 0.3, 0.2), pooled=0.0, graph=0.5, alone=1.0)
    graph = sum(vote * member(batch) for vote, member in zip((0.5, 0.3, 0.2), network.members, strict=True))
    network.pooled.forward = None
    torch.testing.assert_close(network(batch), 0.5 * graph)


@torch.no_grad()
def test_its_graphs_are_means_over_the_graph_models_until_votes_are_known(network, batch):
    graphs = network.learned_graphs(batch)
    by_member = [member.learned_graphs(batch) for member in network.members]
    for place, graph in enumerate(graphs):
        mean = np.mean([graphs[place].weight for graphs in by_member], axis=0)
        np.testing.assert_allclose(graph.weight, mean, rtol=1e-6)
        assert np.array_equal(graph.kept, np.any([graphs[place].kept for graphs in by_member], axis=0))


def test_what_pre_training_found_is_a_mean_over_the_graph_models(network):
    for number, member in enumerate(network.members):
        member.generator.remember(0.1 * number, 0.2)
    assert network.pretraining == pytest.approx({"contrast": 0.1, "signature": 0.2})
    fixed = PooledAndGraph.from_spec(METHODS["cosine_graph"], 5, 2, n_members=1, n_pooled=0)
    assert fixed.pretraining is None
