import networkx
import numpy as np
import pytest
from hypothesis import given

from pipeline.cellgraph.features.hop_distances import closeness, hop_statistics, local_clustering
from pipeline.cellgraph.graphs.simple_graph import simple_graphs
from tests.cellgraph.nuclei_layouts import quick, random_graph


def test_a_path_and_a_triangle_by_hand():
    graphs = simple_graphs([0, 3, 6], [[0, 1, 3, 4, 5], [1, 2, 4, 5, 3]])
    hops = hop_statistics(graphs)
    assert hops.eccentricity.tolist() == [2, 1, 2, 1, 1, 1]
    assert hops.total.tolist() == [3, 2, 3, 2, 2, 2]
    assert hops.reached.tolist() == [2] * 6
    assert hops.triangles.tolist() == [0, 0, 0, 1, 1, 1]
    assert local_clustering(hops, graphs.degree).tolist() == [0, 0, 0, 1, 1, 1]
    assert closeness(hops, np.full(6, 3)) == pytest.approx([2 / 3, 1, 2 / 3, 1, 1, 1])


def test_a_node_alone_reaches_none():
    hops = hop_statistics(simple_graphs([0, 2], []))
    assert hops.eccentricity.tolist() == hops.total.tolist() == hops.reached.tolist() == [0, 0]
    assert closeness(hops, np.array([2, 2])).tolist() == [0, 0]


@quick
@given(graph=random_graph())
def test_clustering_and_closeness_equal_networkx(graph):
    n, edges = graph
    graphs = simple_graphs([0, n], edges)
    theirs = networkx.Graph()
    theirs.add_nodes_from(range(n))
    theirs.add_edges_from((a, b) for a, b in edges.T.tolist() if a != b)
    hops = hop_statistics(graphs)
    assert local_clustering(hops, graphs.degree) == pytest.approx(list(networkx.clustering(theirs).values()))
    assert closeness(hops, np.full(n, n)) == pytest.approx(list(networkx.closeness_centrality(theirs).values()))
