from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.cell_graphs import CellGraphs, TileEdges, empty_cell_graphs, read_cell_graphs, write_cell_graphs
from pipeline.artefacts.learned_graphs import write_learned_graphs
from pipeline.errors import ArtefactError
from pipeline.provenance import record

PROVENANCE = record(params={}, source="x")


@pytest.fixture
def graphs():
    return CellGraphs(
        tile_id=np.array([3, 5]),
        nucleus_id=np.array([10, 11, 12]),
        node_offsets=np.array([0, 2, 3]),
        edge_index=np.array([[0, 1], [1, 0]]),
        edge_offsets=np.array([0, 2, 2]),
        length_um=np.array([4.0, 4.0], np.float32),
        delta_orientation=np.array([0.1, 0.1], np.float32),
        edge_to_axis=np.array([0.2, 0.3], np.float32),
        weight=np.array([0.9, 0.9], np.float32),
    )


def test_round_trip(tmp_path, graphs):
    write_cell_graphs(tmp_path / "g.zarr", graphs, slide_id="s", reason=None, provenance=PROVENANCE)
    read, header = read_cell_graphs(tmp_path / "g.zarr")
    for name, values in vars(graphs).items():
        np.testing.assert_array_equal(getattr(read, name), values)
    assert (header["slide_id"], header["reason"]) == ("s", None)


@pytest.mark.parametrize("tiles", [[], [0], [2], [0, 1], [0, 2], [1, 3], [0, 1, 2, 3]])
def test_edges_of_tiles_are_those_of_the_whole(tmp_path, tiles):
    n_edges = np.array([3, 0, 2500, 4])
    offsets = np.concatenate([[0], np.cumsum(n_edges)])
    source = np.repeat(np.arange(4), n_edges)
    angle = np.random.default_rng(0).uniform(0, 1.5, len(source)).astype(np.float32)
    whole = CellGraphs(
        np.arange(4),
        np.arange(4),
        np.arange(5),
        np.stack([source, source * 0]),
        offsets,
        angle,
        angle,
        angle,
        angle / 2,
    )
    write_cell_graphs(tmp_path / "g.zarr", whole, slide_id="s", reason=None, provenance=PROVENANCE)
    edges, found = TileEdges(tmp_path / "g.zarr").of_tiles(np.array(tiles, np.int64))
    expected = np.isin(source, tiles)
    np.testing.assert_array_equal(edges, whole.edge_index[:, expected])
    np.testing.assert_array_equal(found, angle[expected])


def test_a_slide_without_tiles_is_a_valid_store(tmp_path):
    write_cell_graphs(
        tmp_path / "g.zarr", empty_cell_graphs(), slide_id="s", reason="no tissue found", provenance=PROVENANCE
    )
    read, header = read_cell_graphs(tmp_path / "g.zarr")
    assert read.edge_index.shape == (2, 0)
    assert header["reason"] == "no tissue found"


@pytest.mark.parametrize("offsets", ["node_offsets", "edge_offsets"])
def test_inconsistent_offsets_are_refused(tmp_path, graphs, offsets):
    broken = replace(graphs, **{offsets: np.array([0, 2, 9])})
    write_cell_graphs(tmp_path / "g.zarr", broken, slide_id="s", reason=None, provenance=PROVENANCE)
    with pytest.raises(ArtefactError, match="half-written"):
        read_cell_graphs(tmp_path / "g.zarr")


def test_a_store_of_another_kind_is_refused(tmp_path):
    write_learned_graphs(tmp_path / "g.zarr", (), PROVENANCE)
    with pytest.raises(ArtefactError, match="expected cell_graphs, found 'learned_graphs'"):
        read_cell_graphs(tmp_path / "g.zarr")


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"g\.zarr: expected a Zarr store of cell_graphs"):
        read_cell_graphs(tmp_path / "g.zarr")


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("tile_id", [3, 3], "each tile once"),
        ("nucleus_id", [10, 10, 12], "each nucleus once"),
        ("node_offsets", [0, 3, 2], "node_offsets"),
        ("edge_offsets", [0, 1, 2], "edges grouped by tile"),
        ("edge_index", [[0, 1], [1, 3]], "between two of 3 nuclei"),
        ("edge_index", [[0, 1], [0, 0]], "between two of 3 nuclei"),
        ("length_um", [4.0, np.inf], "lengths"),
        ("weight", [0.9, 1.5], "weights"),
        ("delta_orientation", [0.1], "2 values of each attribute"),
    ],
)
def test_arrays_that_contradict_each_other_are_told(tmp_path, graphs, name, values, fault):
    broken = replace(graphs, **{name: np.array(values)})
    write_cell_graphs(tmp_path / "g.zarr", broken, slide_id="s", reason=None, provenance=PROVENANCE)
    with pytest.raises(ArtefactError, match=rf"g\.zarr: it is half-written, damaged or edited: expected .*{fault}"):
        read_cell_graphs(tmp_path / "g.zarr")
