import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cellgraph import GRAPH_FEATURE_NAMES, graph_features, graph_features_batch
from pipeline.cellgraph.features import hop_distances
from pipeline.cellgraph.features.graph_spectra import slope
from tests.cellgraph.nuclei_layouts import quick, random_graph


def _features(graph):
    edges = np.array(graph.edges, np.int64).reshape(-1, 2).T
    return dict(zip(GRAPH_FEATURE_NAMES, graph_features(len(graph), edges), strict=True))


def _slope(eigenvalues, low, high):
    rounded = sorted(round(float(e), 9) for e in eigenvalues)
    chosen = [e for e in rounded if low <= e < high]
    return float(np.polyfit(range(len(chosen)), chosen, 1)[0]) if len(chosen) > 1 else float("nan")


def _by_networkx(n, edges):
    """The 18 features by networkx, one by one; ``n`` at least 1."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((int(a), int(b)) for a, b in edges.T if a != b)
    hop = dict(nx.all_pairs_shortest_path_length(graph))
    eccentricity = [max(hop[node].values()) for node in graph]
    central = sum(e == min(eccentricity) for e in eccentricity)
    components = [len(c) for c in nx.connected_components(graph)]
    laplacian = nx.laplacian_matrix(graph).toarray().astype(float)
    normalised = np.linalg.eigvalsh(nx.normalized_laplacian_matrix(graph).toarray())
    adjacency = np.linalg.eigvalsh(nx.to_numpy_array(graph))
    m = graph.number_of_edges()
    return np.array(
        [
            nx.average_clustering(graph),
            np.mean([d for _, d in graph.degree]),
            len(components),
            max(components) / n,
            n,
            m,
            np.mean(eccentricity),
            min(eccentricity),
            max(eccentricity),
            central,
            100 * central / n,
            np.mean(list(nx.closeness_centrality(graph).values())),
            np.abs(np.linalg.eigvalsh(laplacian) - 2 * m / n).sum(),
            np.trace(laplacian),
            _slope(normalised, 1, 2),
            _slope(normalised, 0, 1),
            adjacency.max(),
            np.abs(adjacency).sum(),
        ]
    )


def test_there_are_18_different_names():
    assert len(GRAPH_FEATURE_NAMES) == len(set(GRAPH_FEATURE_NAMES)) == 18


@quick
@given(random_graph())
def test_all_18_equal_networkx(graph):
    n, edges = graph
    if n:
        np.testing.assert_allclose(graph_features(n, edges), _by_networkx(n, edges), rtol=1e-8, atol=1e-8)


def test_a_graph_wider_than_one_word_of_bits_equals_networkx():
    graph = nx.random_geometric_graph(150, 0.11, seed=1)
    edges = np.array(graph.edges).T
    np.testing.assert_allclose(graph_features(150, edges), _by_networkx(150, edges), rtol=1e-8, atol=1e-8)


def test_path_of_four_by_hand():
    """Eccentricities 3, 2, 2, 3; closeness 3/6, 3/4, 3/4, 3/6; golden ratio in the spectrum."""
    features = _features(nx.path_graph(4))
    golden = (1 + 5**0.5) / 2
    expected = {
        "clustering_mean": 0,
        "degree_mean": 1.5,
        "n_components": 1,
        "giant_component_share": 1,
        "n_vertices": 4,
        "n_edges": 3,
        "eccentricity_mean": 2.5,
        "radius": 2,
        "diameter": 3,
        "n_central_points": 2,
        "central_points_percent": 50,
        "closeness_mean": (0.5 + 0.75) / 2,
        "laplacian_trace": 6,
        "laplacian_energy": 2 * (2 + 2**0.5 - 1.5) + 1,
        "lower_slope": 0.5,
        "adjacency_largest_eigenvalue": golden,
        "adjacency_energy": 2 * (golden + golden - 1),
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected)
    assert np.isnan(features["upper_slope"])  # 1.5 alone: 2 is out of [1, 2)


def test_complete_graph_by_hand():
    """K5: Laplacian 0 and 5 four times, normalised 0 and 5/4 four times, adjacency 4 and -1 four times."""
    features = _features(nx.complete_graph(5))
    expected = {
        "clustering_mean": 1,
        "radius": 1,
        "diameter": 1,
        "n_central_points": 5,
        "closeness_mean": 1,
        "laplacian_energy": 4 + 4,
        "upper_slope": 0,
        "adjacency_largest_eigenvalue": 4,
        "adjacency_energy": 8,
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert np.isnan(features["lower_slope"])


def test_star_by_hand():
    """Hub and five leaves: normalised spectrum 0, 1 four times, 2; so the upper slope is that of four ones."""
    features = _features(nx.star_graph(5))
    assert features["radius"] == 1
    assert features["diameter"] == 2
    assert features["n_central_points"] == 1
    assert features["upper_slope"] == pytest.approx(0, abs=1e-12)
    assert features["closeness_mean"] == pytest.approx((1 + 5 * 5 / 9) / 6)
    assert features["adjacency_energy"] == pytest.approx(2 * 5**0.5)


def test_cycle_by_hand():
    features = _features(nx.cycle_graph(6))
    assert (features["radius"], features["diameter"], features["n_central_points"]) == (3, 3, 6)
    assert features["degree_mean"] == 2
    assert features["closeness_mean"] == pytest.approx(5 / 9)


def test_an_isolated_nucleus_makes_the_radius_zero():
    """A triangle and one nucleus alone: the lone one reaches nothing."""
    features = dict(zip(GRAPH_FEATURE_NAMES, graph_features(4, [[0, 1, 2], [1, 2, 0]]), strict=True))
    assert (features["n_components"], features["giant_component_share"]) == (2, 0.75)
    assert (features["radius"], features["diameter"], features["n_central_points"]) == (0, 1, 1)
    assert features["closeness_mean"] == pytest.approx(3 * (2 / 3) / 4)
    assert features["clustering_mean"] == 0.75


def test_nuclei_without_any_edge():
    features = dict(zip(GRAPH_FEATURE_NAMES, graph_features(3, []), strict=True))
    assert (features["n_components"], features["n_edges"], features["n_central_points"]) == (3, 0, 3)
    assert features["lower_slope"] == 0
    assert np.isnan(features["upper_slope"])
    assert features["closeness_mean"] == 0


def test_without_nuclei_only_the_counts_are_defined():
    features = dict(zip(GRAPH_FEATURE_NAMES, graph_features(0, []), strict=True))
    assert {name: value for name, value in features.items() if not np.isnan(value)} == {
        "n_components": 0,
        "n_vertices": 0,
        "n_edges": 0,
    }


def test_one_nucleus():
    features = dict(zip(GRAPH_FEATURE_NAMES, graph_features(1, []), strict=True))
    assert {name for name, value in features.items() if np.isnan(value)} == {"upper_slope", "lower_slope"}
    assert (features["n_central_points"], features["central_points_percent"], features["giant_component_share"]) == (
        1,
        100,
        1,
    )


@quick
@given(random_graph(), st.randoms())
def test_directions_repeats_loops_and_numbering_do_not_matter(graph, random):
    n, edges = graph
    if n == 0:
        return
    number = np.array(random.sample(range(n), n))
    twice = np.concatenate([edges, edges[::-1], np.stack([np.arange(n)] * 2)], axis=1)
    np.testing.assert_allclose(graph_features(n, number[twice]), graph_features(n, edges), rtol=1e-8, atol=1e-8)


@quick
@given(st.lists(random_graph(max_nodes=8), max_size=5))
def test_batch_equals_single(graphs):
    offsets = np.concatenate([[0], np.cumsum([n for n, _ in graphs])]).astype(int)
    edges = [e + start for (_, e), start in zip(graphs, offsets, strict=False)]
    edge_offsets = np.concatenate([[0], np.cumsum([e.shape[1] for e in edges])]).astype(int)
    batch = graph_features_batch(offsets, np.concatenate([np.zeros((2, 0), int), *edges], axis=1), edge_offsets)
    assert batch.shape == (len(graphs), 18)
    for row, (n, e) in zip(batch, graphs, strict=True):
        np.testing.assert_array_equal(row, graph_features(n, e))


def test_searching_tile_by_tile_equals_searching_all_at_once(monkeypatch):
    graph = nx.disjoint_union_all([nx.gnp_random_graph(n, 0.2, seed=n) for n in (5, 70, 1, 30)])
    offsets, edges = np.array([0, 5, 75, 76, 106]), np.array(graph.edges).T
    at_once = graph_features_batch(offsets, edges)
    monkeypatch.setattr(hop_distances, "MAX_WORDS", 1)
    np.testing.assert_array_equal(graph_features_batch(offsets, edges), at_once)


def test_slope_bounds_do_not_hang_on_rounding():
    noise = 1e-15
    exact = slope(np.array([0.0, 1.0, 1.0, 2.0]), 1.0, 2.0)
    assert slope(np.array([-noise, 1 - noise, 1 + noise, 2 - noise]), 1.0, 2.0) == exact == 0.0
    assert slope(np.array([-noise, 0.5, 1 - noise]), 0.0, 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize("edges", [[[0], [3]], [[-1], [0]], [[0.5], [1.0]], [0, 1]])
def test_edges_that_name_no_nucleus_are_refused(edges):
    with pytest.raises(ValueError, match="edge_index must"):
        graph_features(3, np.array(edges))


def test_edges_across_patches_are_refused():
    with pytest.raises(ValueError, match="within their tile"):
        graph_features_batch([0, 2, 4], [[1], [2]])
    with pytest.raises(ValueError, match="edge_offsets"):
        graph_features_batch([0, 2, 4], [[0, 2], [1, 3]], [0, 2, 2])
