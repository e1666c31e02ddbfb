"""Against networkx, an independent implementation, and graphs that one can count."""

import networkx as nx
import numpy as np
import pytest

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.interpretation import graph_metrics as module
from pipeline.training.interpretation.graph_metrics import METRICS, graph_metrics, metrics_of, modularity


def measured(graph):
    joined = nx.to_numpy_array(graph).astype(bool)
    return metrics_of(joined, np.ones(graph.number_of_edges()))


def test_there_are_as_many_as_published():
    assert len(METRICS) == len(set(METRICS)) == 37


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_networkx(seed):
    graph = nx.gnp_random_graph(25, 0.15, seed=seed)
    graph.add_node(25)
    found = measured(graph)
    giant = max(map(len, nx.connected_components(graph)))
    expected = {
        "density": nx.density(graph),
        "degree_assortativity": nx.degree_assortativity_coefficient(graph),
        "clustering_mean": nx.average_clustering(graph),
        "transitivity": nx.transitivity(graph),
        "n_triangles": sum(nx.triangles(graph).values()) / 3,
        "n_components": nx.number_connected_components(graph),
        "giant_component_share": giant / 26,
        "core_mean": np.mean(list(nx.core_number(graph).values())),
        "closeness_mean": np.mean(list(nx.closeness_centrality(graph).values())),
        "efficiency_global": nx.global_efficiency(graph),
        "efficiency_local": nx.local_efficiency(graph),
        "betweenness_mean": np.mean(list(nx.betweenness_centrality(graph).values())),
        "betweenness_max": max(nx.betweenness_centrality(graph).values()),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_path_of_four_by_hand():
    found = measured(nx.path_graph(4))
    by_hand = {"n_edges": 3, "diameter": 3, "radius": 2, "central_share": 0.5, "path_length_mean": 10 / 6}
    assert {name: found[name] for name in by_hand} == pytest.approx(by_hand)
    assert found["algebraic_connectivity"] == pytest.approx(2 - np.sqrt(2))
    assert found["spectral_radius"] == pytest.approx((1 + np.sqrt(5)) / 2)
    assert found["degree_entropy"] == pytest.approx(np.log(2))


def test_two_cliques_with_a_bridge_are_two_modules():
    graph = nx.disjoint_union(nx.complete_graph(5), nx.complete_graph(5))
    graph.add_edge(0, 5)
    halves = [set(range(5)), set(range(5, 10))]
    assert modularity(nx.to_numpy_array(graph).astype(bool)) == pytest.approx(nx.community.modularity(graph, halves))


@pytest.mark.parametrize("n_nodes", [0, 1, 2, 3])
def test_graphs_without_edges_have_no_faults(n_nodes):
    found = metrics_of(np.zeros((n_nodes, n_nodes), bool), np.zeros(0))
    assert (found["n_nodes"], found["n_edges"]) == (n_nodes, 0)
    assert np.isnan(found["modularity"])


def test_large_graphs_leave_out_what_is_dear(monkeypatch):
    monkeypatch.setattr(module, "MOST_NODES", 5)
    found = measured(nx.path_graph(6))
    assert np.isnan(found["diameter"])
    assert found["n_edges"] == 5


def test_of_a_learned_graph_the_kept_edges_count():
    edge_index = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])
    graph = LearnedGraph(edge_index, np.float32([0.5, 0.5, 0.1, 0.1]), np.array([True, True, False, False]))
    found = graph_metrics(graph, 3)
    assert (found["n_nodes"], found["n_edges"], found["weight_mean"]) == (3, 1, 0.5)
