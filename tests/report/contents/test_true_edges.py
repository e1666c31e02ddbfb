import numpy as np
import pytest

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.errors import ArtefactError
from pipeline.report.contents.graph_statistics import ImageGraph
from pipeline.report.contents.true_edges import read_true_graph, share_of_pairs, share_on_true_edges

CORNERS = np.array([[0, 0], [128, 0], [0, 128], [128, 128]], np.int64)


def learned(edges, weights):
    both = np.array([*edges, *[edge[::-1] for edge in edges]], np.int64).reshape(-1, 2).T
    weight = np.array([*weights, *weights], np.float32)
    return ImageGraph("a", "x", "x", LearnedGraph(both, weight, np.ones(len(weight), np.bool_)), CORNERS, 128.0)


def written(folder, text):
    (folder / "a.edges.csv").write_text(f"x_l0,y_l0,other_x_l0,other_y_l0\n{text}")
    return folder


def test_true_edges_join_the_patches_at_their_corners(tmp_path):
    image = learned([(0, 1), (2, 3)], [0.3, 0.1])
    true = read_true_graph(written(tmp_path, "0,0,128,0\n128,0,128,128\n"), image)
    assert true.graph.edge_index.tolist() == [[0, 1, 1, 3], [1, 3, 0, 1]]
    assert share_on_true_edges(image, true) == pytest.approx(0.75)
    assert share_of_pairs(true) == pytest.approx(2 / 6)


def test_edges_of_tiles_that_are_no_patch_are_left_out(tmp_path):
    true = read_true_graph(written(tmp_path, "0,0,128,0\n0,0,999,0\n"), learned([], []))
    assert true.graph.edge_index.shape == (2, 2)


def test_without_a_file_or_learned_weight_there_is_nothing_to_say(tmp_path):
    image = learned([], [])
    assert read_true_graph(tmp_path, image) is None
    assert share_on_true_edges(image, read_true_graph(written(tmp_path, ""), image)) is None


def test_a_file_that_is_no_table_of_edges_is_told(tmp_path):
    (tmp_path / "a.edges.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ArtefactError, match="x_l0"):
        read_true_graph(tmp_path, learned([], []))
