import dataclasses

import numpy as np
import pytest
import torch
from torch_geometric.utils import contains_self_loops, is_undirected

from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.exports.graphs.patch_graphs import centres_um, learned_edges, near_edges, patch_graph, patch_nodes


@pytest.fixture
def store():
    """Two tiles of 100 level-0 px at 0.5 um/px of a slide of 0.25 um/px; one value undefined."""
    x = np.array([[1, np.nan], [3, 4]], np.float32)
    return FeatureStore(
        "s",
        x,
        ("a", "b"),
        np.array([[0, 0], [100, 200]]),
        np.array([4, 7]),
        mpp=0.5,
        tile_px=50,
        tile_width_l0=100.0,
        valid=~np.isnan(x),
        embeddings={"uni": np.array([[5, 6, 7], [8, 9, 10]], np.float32)},
    )


def pairs(edges):
    return sorted(map(tuple, edges["edge_index"].T.tolist()))


def test_a_patch_has_all_that_the_cache_has(store):
    graph = patch_graph(store, near_edges(store.coords, 8))
    np.testing.assert_array_equal(graph.x, store.features)
    assert graph.feature_names == ["a", "b"]
    assert graph.valid.tolist() == [[True, False], [True, True]]
    assert graph.coords_l0.tolist() == [[0, 0], [100, 200]]
    assert graph.tile_id.tolist() == [4, 7]
    assert graph.x_uni.tolist() == [[5, 6, 7], [8, 9, 10]]
    assert graph.edge_index.tolist() == [[0, 1], [1, 0]]
    assert graph.validate()


def test_centres_are_micrometres(store):
    assert centres_um(store).tolist() == [[12.5, 12.5], [37.5, 62.5]]
    assert patch_nodes(store)["pos"].dtype == torch.float32


@pytest.mark.parametrize("unknown", ["mpp", "tile_px", "tile_width_l0"])
def test_centres_are_undefined_where_the_pixel_size_is_not_known(store, unknown):
    assert np.isnan(centres_um(dataclasses.replace(store, **{unknown: None}))).all()


def test_without_a_mask_all_that_is_a_number_is_valid(store):
    nodes = patch_nodes(dataclasses.replace(store, features=np.ones((2, 2), np.float32), valid=None))
    assert bool(nodes["valid"].all())


def test_nearest_patches_by_hand():
    # On a line at 0, 1, 3 and 7: the nearest of 0 is 1, of 1 is 0, of 3 is 1, of 7 is 3.
    coords = np.array([[0, 0], [1, 0], [3, 0], [7, 0]])
    assert pairs(near_edges(coords, 1)) == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert pairs(near_edges(coords, 3)) == [(i, j) for i in range(4) for j in range(4) if i != j]


def test_eight_neighbours_are_those_around_a_tile_far_from_the_border():
    coords = np.stack(np.meshgrid(range(9), range(9)), -1).reshape(-1, 2) * 512
    edges = near_edges(coords, 8)["edge_index"]
    around = coords[edges[1, edges[0] == 40]] - coords[40]
    assert sorted(map(tuple, (around // 512).tolist())) == [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 40])
@pytest.mark.parametrize("n_nearest", [1, 5])
def test_edges_go_both_ways_once_and_never_to_themselves(n, n_nearest):
    coords = np.random.default_rng(n).integers(0, 9, (n, 2))
    edges = near_edges(coords, n_nearest)["edge_index"]
    assert edges.dtype == torch.int64
    assert edges.shape[0] == 2
    assert not contains_self_loops(edges)
    assert is_undirected(edges, num_nodes=n)
    assert len(set(pairs({"edge_index": edges}))) == edges.shape[1]
    assert np.bincount(edges[0], minlength=n).min(initial=n) >= min(n_nearest, n - 1)


def test_learned_edges_keep_score_and_choice():
    graph = LearnedGraph(np.array([[0, 1], [1, 0]]), np.array([0.25, 0.75], np.float32), np.array([True, False]))
    edges = learned_edges(graph)
    assert edges["edge_index"].tolist() == [[0, 1], [1, 0]]
    assert edges["edge_weight"].tolist() == [0.25, 0.75]
    assert edges["edge_kept"].tolist() == [True, False]


def test_the_planted_cache_comes_back(made):
    store = read_features(made.results / "features/new.zarr")
    graph = patch_graph(store, near_edges(store.coords, 8))
    np.testing.assert_array_equal(graph.x, store.features)
    # Tiles are 128 um wide.
    assert (graph.pos - 64).remainder(128).abs().max() < 1e-3
