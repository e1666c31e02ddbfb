import math

import numpy as np
import pytest

from pipeline.artefacts.cell_graphs import read_cell_graphs
from pipeline.artefacts.nuclei import COLUMNS, read_nuclei
from pipeline.artefacts.tables import write_table
from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
from pipeline.cellgraph.params import CellGraphParams
from pipeline.errors import ArtefactError, ConfigError
from pipeline.provenance import digests, file_digest


def _build(paths, out, slide_id="S1", **params):
    build_cell_graphs(*paths, out, slide_id=slide_id, params=CellGraphParams(**params), source="abc")
    return read_cell_graphs(out)


def test_each_kept_tile_gets_its_nuclei_and_edges(tile_frame, nucleus_frame, write_slide, tmp_path):
    frame = nucleus_frame([12, 7, 0, 20])
    paths = write_slide(tile_frame([True, False, True, True]), frame)
    graphs, header = _build(paths, tmp_path / "g.zarr", kind="radius", radius_um=15)
    assert graphs.tile_id.tolist() == [0, 2, 3]
    assert graphs.node_offsets.tolist() == [0, 12, 12, 32]
    assert header["reason"] is None
    for tile, owner in enumerate(graphs.tile_id):
        ids = graphs.nucleus_id[graphs.node_offsets[tile] : graphs.node_offsets[tile + 1]]
        assert ids.tolist() == frame.index[frame["tile_id"] == owner].tolist()
    ends = frame[["x_um", "y_um"]].to_numpy()[graphs.nucleus_id[graphs.edge_index]]
    np.testing.assert_allclose(np.hypot(*(ends[0] - ends[1]).T), graphs.length_um, rtol=1e-6)
    assert 0 < graphs.length_um.max() <= 15


def test_edges_carry_what_the_tables_tell_of_their_nuclei(tile_frame, nucleus_frame, write_slide, tmp_path):
    """One edge at a time, from the rows of the nucleus table."""
    frame = nucleus_frame([25, 20]).set_index("nucleus_id", drop=False)
    graphs, _ = _build(write_slide(tile_frame([True, True]), frame), tmp_path / "g.zarr", radius_um=15.0)
    stored = graphs.length_um, graphs.delta_orientation, graphs.edge_to_axis, graphs.weight
    assert graphs.edge_index.shape[1] > 50
    for ends, attributes in zip(graphs.nucleus_id[graphs.edge_index].T, np.transpose(stored), strict=True):
        source, target = (frame.loc[nucleus] for nucleus in ends)
        dx, dy = target["x_um"] - source["x_um"], target["y_um"] - source["y_um"]
        turns = source["orientation_rad"] - target["orientation_rad"], source["orientation_rad"] - math.atan2(dy, dx)
        between, to_axis = (math.acos(abs(math.cos(turn))) for turn in turns)
        both_have_axes = min(source["eccentricity"], target["eccentricity"]) >= 0.6
        agreement = math.cos(between) ** 2 if both_have_axes else 1.0
        weight = math.exp(-math.hypot(dx, dy) / 15.0) * agreement
        np.testing.assert_allclose(attributes, [math.hypot(dx, dy), between, to_axis, weight], rtol=1e-5, atol=1e-6)


def test_a_tile_that_could_not_be_read_has_no_graph(tile_frame, nucleus_frame, write_slide, tmp_path):
    paths = write_slide(tile_frame([True, True, True]), nucleus_frame([12, 0, 0]), unreadable=(1,))
    graphs, _ = _build(paths, tmp_path / "g.zarr")
    assert graphs.tile_id.tolist() == [0, 2]
    assert graphs.node_offsets.tolist() == [0, 12, 12]


def test_provenance_names_params_and_inputs(tile_frame, nucleus_frame, write_slide, tmp_path):
    paths = write_slide(tile_frame([True]), nucleus_frame([9]))
    _, header = _build(paths, tmp_path / "g.zarr", radius_um=20.0)
    assert header["slide_id"] == "S1"
    assert header["provenance"]["params"]["radius_um"] == 20.0
    assert header["provenance"]["source"] == "abc"
    assert header["provenance"]["upstream"] == digests({"tiles": paths[0], "nuclei": paths[1]})


def test_same_inputs_give_the_same_bytes(tile_frame, nucleus_frame, write_slide, tmp_path):
    paths = write_slide(tile_frame([True, True]), nucleus_frame([30, 10]))
    _build(paths, tmp_path / "a.zarr")
    _build(paths, tmp_path / "b.zarr")
    assert file_digest(tmp_path / "a.zarr") == file_digest(tmp_path / "b.zarr")


@pytest.mark.parametrize(
    ("tiles_reason", "nuclei_reason", "expected"),
    [("no tissue", "no tissue", "no tissue"), (None, "no nucleus found", "no nucleus found")],
)
def test_an_empty_slide_hands_its_reason_on(tile_frame, write_slide, tmp_path, tiles_reason, nuclei_reason, expected):
    tiles = None if tiles_reason else tile_frame([True])
    paths = write_slide(tiles, None, tiles_reason=tiles_reason, nuclei_reason=nuclei_reason)
    graphs, header = _build(paths, tmp_path / "g.zarr")
    assert header["reason"] == expected
    assert (len(graphs.tile_id), graphs.edge_index.shape) == (0, (2, 0))


def test_tables_of_another_slide_are_refused(tile_frame, nucleus_frame, write_slide, tmp_path):
    paths = write_slide(tile_frame([True]), nucleus_frame([5]), slide_id="S2")
    with pytest.raises(ArtefactError, match=r"tiles\.parquet: expected tiles of slide S1, found those of 'S2'"):
        _build(paths, tmp_path / "g.zarr")
    assert not (tmp_path / "g.zarr").exists()


def test_nuclei_of_tiles_that_are_not_there_are_refused(tile_frame, nucleus_frame, write_slide, tmp_path):
    paths = write_slide(tile_frame([True]), nucleus_frame([5, 3]))
    with pytest.raises(ArtefactError, match=r"3 nuclei belong to tiles"):
        _build(paths, tmp_path / "g.zarr")


@pytest.mark.parametrize(
    ("rule", "lacking"),
    [({"kind": "paper"}, "mean_grey"), ({"axisless_nuclei": "leave_unjoined"}, "eccentricity")],
)
def test_a_rule_that_compares_what_imported_nuclei_lack_is_refused(
    tile_frame, nucleus_frame, write_slide, tmp_path, rule, lacking
):
    frame = nucleus_frame([9]).assign(**{lacking: np.nan})
    paths = write_slide(tile_frame([True]), frame)
    with pytest.raises(ConfigError, match=f"nuclei of this slide have not: {lacking}. Choose radius"):
        _build(paths, tmp_path / "g.zarr", **rule)
    graphs, _ = _build(paths, tmp_path / "g.zarr")
    assert graphs.edge_index.shape[1] > 0


@pytest.mark.parametrize("made_from", ["0123456789abcdef", ""])
def test_nuclei_segmented_in_other_tiles_are_refused(tile_frame, nucleus_frame, write_slide, tmp_path, made_from):
    tiles, nuclei = write_slide(tile_frame([True, True]), nucleus_frame([9, 9]))
    table = read_nuclei(nuclei)
    upstream = {"tiles": made_from} if made_from else {"tiles": file_digest(tiles)}
    header = {**table.header, "provenance": {**table.header["provenance"], "upstream": upstream}}
    write_table(nuclei, table.frame, COLUMNS, header)
    if not made_from:
        assert len(_build((tiles, nuclei), tmp_path / "g.zarr")[0].tile_id) == 2
        return
    with pytest.raises(ArtefactError, match=f"{nuclei.name}: it was made from other tiles than .*{tiles.name}"):
        _build((tiles, nuclei), tmp_path / "g.zarr")
    assert not (tmp_path / "g.zarr").exists()
