from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.classifiers.pooled_path import PooledPath
from pipeline.training.interpretation import edge_evidence
from pipeline.training.interpretation.edge_evidence import (
    NO_EDGE,
    NO_GRAPH_PATH,
    OTHER_EDGES,
    edges_by_integrated_gradients,
    edges_by_occlusion,
    is_worth_occlusion,
    log_odds_without,
    silenced_weights,
    silencing,
    without_edges,
)
from pipeline.training.interpretation.log_odds import log_odds
from tests.training.fitting.small_models import small


def both_paths(**changes):
    (_, first), (_, second) = (small("default", **changes) for _ in range(2))
    torch.manual_seed(1)
    for parameter in second.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return PooledAndGraph(PooledPath([], 5, 2), [first, second]).eval()


@pytest.fixture
def image(random_images):
    return random_images([7])[0]


def graph_of(network, image):
    (_, batch), *_ = network.batches([image], 1)
    return network.learned_graphs(batch)[0]


def test_a_silenced_edge_changes_what_it_changes_by_hand(image):
    network = both_paths(target_degree=2)
    graph = graph_of(network, image)
    evidence = edges_by_occlusion(silencing(network, image), graph, 1)
    (_, batch), *_ = network.batches([image], 1)
    adjacencies = [member.adjacency(batch) for member in network.members]
    i, j = graph.edge_index[:, np.flatnonzero(graph.kept)[0]]
    silenced = []
    for adjacency in adjacencies:
        weights = adjacency.weights.clone()
        weights[:, :, i, j] = weights[:, :, j, i] = 0
        silenced.append(replace(adjacency, weights=weights))
    with torch.no_grad():
        expected = log_odds(network(batch)) - log_odds(network.through(batch, silenced))
    at = (graph.edge_index[0] == i) & (graph.edge_index[1] == j)
    np.testing.assert_allclose(evidence[at], expected[0, 1], atol=1e-6)


def test_copies_of_an_image_say_what_the_image_says_with_each_of_their_graphs(image, monkeypatch):
    monkeypatch.setattr(edge_evidence, "WEIGHTS_PER_BATCH", 3 * 7 * 7)
    network = both_paths(target_degree=2)
    edges, silenced = graph_of(network, image).edge_index, silencing(network, image)
    gone = [np.random.default_rng(seed).random(edges.shape[1]) < share for seed, share in enumerate((0, 0.3, 0.7, 1))]
    alone = [silenced.log_odds_of(silenced_weights(silenced, edges[:, out])) for out in gone]
    np.testing.assert_allclose(log_odds_without(silenced, edges, gone), torch.cat(alone).detach(), atol=1e-6)
    assert np.ptp(torch.cat(alone).detach().numpy()[:, 0]) > 1e-3


def test_both_directions_hold_one_value_and_edges_not_kept_none(image):
    network = both_paths(target_degree=2)
    graph = graph_of(network, image)
    assert not graph.kept.all()
    silenced = silencing(network, image)
    for evidence in (edges_by_occlusion(silenced, graph, 0), edges_by_integrated_gradients(silenced, graph, 0, 4)):
        matrix = np.zeros((7, 7))
        matrix[tuple(graph.edge_index)] = evidence
        np.testing.assert_array_equal(matrix, matrix.T)
        assert not evidence[~graph.kept].any()
        assert evidence[graph.kept].any()


@pytest.mark.parametrize("dense_limit", [0, 4])
def test_shares_of_all_edges_add_up_to_what_hearing_each_other_changes(image, dense_limit):
    network = both_paths(target_degree=3, dense_limit=dense_limit, similar_candidates=3, spatial_candidates=1)
    for member in network.members:
        member.dense_limit = dense_limit or None
    graph = graph_of(network, image)
    silenced = silencing(network, image)
    shares = edges_by_integrated_gradients(silenced, graph, 1, 64)
    (_, batch), *_ = network.batches([image], 1)
    with torch.no_grad():
        changed = log_odds(network(batch))[0, 1] - without_edges(silenced)[1]
    assert abs(float(changed)) > 1e-3
    assert shares.sum() / 2 == pytest.approx(float(changed), rel=0.02)
    assert is_worth_occlusion(silenced, 3) == (dense_limit == 0)


def test_why_no_edge_can_be_silenced(image, random_images):
    network = both_paths()
    network.graph_kept.fill_(0)
    assert silencing(network, image) == NO_GRAPH_PATH
    assert silencing(both_paths(), random_images([1])[0]) == NO_EDGE
    assert silencing(small("cosine_graph")[1].eval(), image) == OTHER_EDGES
    assert silencing(small("mean_pool")[1].eval(), image) == OTHER_EDGES
