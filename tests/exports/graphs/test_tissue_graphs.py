import numpy as np
import pytest

from pipeline.artefacts.features import read_features
from pipeline.artefacts.tiles import read_tiles
from pipeline.exports.graphs.nucleus_graphs import nucleus_edges, nucleus_nodes
from pipeline.exports.graphs.patch_graphs import near_edges
from pipeline.exports.graphs.slide_files import SlideFiles
from pipeline.exports.graphs.tissue_graphs import tissue_graph


@pytest.fixture
def parts(made):
    nuclei, graphs, _ = SlideFiles(made.results).cells("new")
    store = read_features(made.results / "features/new.zarr")
    tiles = read_tiles(made.results / "tiles/new.parquet").frame
    return (nucleus_nodes(nuclei, graphs), nucleus_edges(graphs)), store, tiles


def test_every_nucleus_is_in_the_patch_that_surrounds_it(parts):
    cells, store, tiles = parts
    graph = tissue_graph(cells, store, tiles, {"near": near_edges(store.coords, 4)})
    nucleus, patch = graph["nucleus", "in", "patch"].edge_index
    offset_um = (graph["nucleus"].pos[nucleus] - graph["patch"].pos[patch]).abs().max()
    assert 32 < offset_um <= 64.01
    # The tile of one nucleus alone is kept and not in the cache: that nucleus is in no patch.
    alone = np.flatnonzero(np.bincount(cells[0]["tile_id"])[cells[0]["tile_id"]] == 1).tolist()
    assert len(alone) == 1
    assert nucleus.tolist() == [n for n in range(49) if n not in alone]
    assert np.bincount(patch).tolist() == [6] * 8
    assert graph.validate()


def test_corners_join_where_a_cache_counts_its_tiles_on_its_own(parts):
    (nodes, edges), store, tiles = parts
    other = tiles.assign(tile_id=tiles["tile_id"] + 100)
    nodes = {**nodes, "tile_id": nodes["tile_id"] + 100}
    graph = tissue_graph((nodes, edges), store, other, {})
    assert graph["nucleus", "in", "patch"].edge_index.shape == (2, 48)
    assert graph.node_types == ["nucleus", "patch"]
    assert graph.edge_types == [("nucleus", "near", "nucleus"), ("nucleus", "in", "patch")]


def test_relations_between_patches_and_names_of_columns(parts):
    cells, store, tiles = parts
    near = near_edges(store.coords, 1)
    graph = tissue_graph(cells, store, tiles, {"near": near, "learned": {**near, "edge_weight": near["edge_index"][0]}})
    assert graph["patch", "near", "patch"].edge_index.equal(near["edge_index"])
    assert graph["patch", "learned", "patch"].edge_weight.equal(near["edge_index"][0])
    assert graph["patch"].feature_names[0] == "rotated_0"
    assert len(graph["nucleus"].feature_names) == graph["nucleus"].num_features
    assert graph["nucleus", "near", "nucleus"].edge_attr_names[0] == "length_um"
