import numpy as np
import pytest

from pipeline.artefacts.learned_graphs import (
    LearnedGraph,
    LearnedGraphs,
    mean_graph,
    read_learned_graph,
    write_learned_graphs,
)
from pipeline.errors import ArtefactError
from pipeline.provenance import record


def test_round_trip_of_a_graph_and_of_an_empty_one(tmp_path):
    edges = np.array([[0, 1], [1, 0]])
    graph = LearnedGraph(edges, np.array([0.75, 0.75], np.float32), np.array([True, False]))
    nothing = LearnedGraph(np.zeros((2, 0), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))
    write_learned_graphs(tmp_path / "g.zarr", [("s.1", graph), ("s2", nothing)], record(params={}, source="x"))
    read = read_learned_graph(tmp_path / "g.zarr", "s.1")
    np.testing.assert_array_equal(read.edge_index, edges)
    np.testing.assert_array_equal(read.weight, graph.weight)
    np.testing.assert_array_equal(read.kept, graph.kept)
    assert read_learned_graph(tmp_path / "g.zarr", "s2").edge_index.shape == (2, 0)
    with pytest.raises(ArtefactError, match="'s3/edge_index' is missing"):
        read_learned_graph(tmp_path / "g.zarr", "s3")


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("edge_index", [[0, 1], [1, 1]], "edge_index to join two patches"),
        ("edge_index", [[0, -1], [1, 0]], "edge_index to join two patches"),
        ("weight", [0.5, np.nan], "weight from 0 to 1"),
        ("weight", [0.5, 3.0], "weight from 0 to 1"),
        ("kept", [True], "2 values of s/weight and kept"),
    ],
)
def test_arrays_that_contradict_each_other_are_told(tmp_path, name, values, fault):
    arrays = {"edge_index": [[0, 1], [1, 0]], "weight": [0.5, 0.5], "kept": [True, True]} | {name: values}
    graph = LearnedGraph(**{key: np.array(value) for key, value in arrays.items()})
    write_learned_graphs(tmp_path / "g.zarr", [("s", graph)], record(params={}, source="x"))
    with pytest.raises(ArtefactError, match=rf"g\.zarr: it is half-written, damaged or edited: expected .*{fault}"):
        read_learned_graph(tmp_path / "g.zarr", "s")


def test_an_open_store_names_its_images_and_gives_each(tmp_path):
    graph = LearnedGraph(np.array([[0, 1], [1, 0]]), np.array([0.5, 0.5], np.float32), np.ones(2, np.bool_))
    write_learned_graphs(tmp_path / "g.zarr", [("s2", graph), ("s.1", graph)], record(params={}, source="x"))
    graphs = LearnedGraphs(tmp_path / "g.zarr")
    assert graphs.slide_ids == ["s.1", "s2"]
    assert graphs.of("s2").weight.tolist() == [0.5, 0.5]
    with pytest.raises(ArtefactError, match="s3/edge_index"):
        graphs.of("s3")


def test_the_mean_of_graphs_counts_an_edge_that_is_missing_as_0():
    one = LearnedGraph(np.array([[0, 1], [1, 0]]), np.array([0.8, 0.8], np.float32), np.array([True, True]))
    two = LearnedGraph(np.array([[0, 2], [2, 0]]), np.array([0.4, 0.4], np.float32), np.array([False, False]))
    mean = mean_graph([one, two], 3, [0.5, 0.5])
    weights = {tuple(edge): weight for edge, weight in zip(mean.edge_index.T.tolist(), mean.weight, strict=True)}
    assert weights == pytest.approx({(0, 1): 0.4, (1, 0): 0.4, (0, 2): 0.2, (2, 0): 0.2})
    assert mean.kept.tolist() == [True, False, True, False]
    same = mean_graph([one, one], 3, [0.5, 0.5])
    assert np.array_equal(same.edge_index, one.edge_index)
    np.testing.assert_allclose(same.weight, one.weight)
    alone = mean_graph([one, two], 3, [0.0, 1.0])
    assert np.array_equal(alone.edge_index, two.edge_index)
    assert not alone.kept.any()
    np.testing.assert_allclose(mean_graph([one, one], 3, [0.25, 0.75]).weight, one.weight)
