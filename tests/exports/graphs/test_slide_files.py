import shutil

import numpy as np
import pytest

from pipeline.artefacts.features import read_features
from pipeline.errors import ArtefactError
from pipeline.exports.graphs.slide_files import SlideFiles
from tests.exports.results_folder import EMPTY, NEW, nuclei_frame, write_slide


def test_paths_below_outdir(tmp_path):
    files = SlideFiles(tmp_path)
    assert files.path("tiles", "s") == tmp_path / "tiles/s.parquet"
    assert files.path("nuclei", "s") == tmp_path / "nuclei/s.parquet"
    assert files.path("cell_graphs", "s") == tmp_path / "cell_graphs/s.zarr"
    assert files.path("features", "s") == tmp_path / "features/s.zarr"


def test_paths_below_the_output_of_the_features_command(tmp_path):
    (tmp_path / "work").mkdir()
    files = SlideFiles(tmp_path)
    assert files.path("tiles", "s") == tmp_path / "work/s.tiles.parquet"
    assert files.path("nuclei", "s") == tmp_path / "work/s.nuclei.parquet"
    assert files.path("cell_graphs", "s") == tmp_path / "work/s.cell_graphs.zarr"
    assert files.path("features", "s") == tmp_path / "s.zarr"


def test_features_of_their_own_folder_and_single_files_come_first(tmp_path):
    (tmp_path / "t.h5").touch()
    files = SlideFiles(tmp_path / "results", tmp_path, {"u": tmp_path / "elsewhere.h5"})
    assert files.path("features", "s") == tmp_path / "s.zarr"
    assert files.path("features", "t") == tmp_path / "t.h5"
    assert files.path("features", "u") == tmp_path / "elsewhere.h5"
    assert files.path("nuclei", "u") == tmp_path / "results/nuclei/u.parquet"


def test_features_of_a_slide_lie_once_in_a_folder(tmp_path):
    for name in ("s.h5", "s.zarr"):
        (tmp_path / name).touch()
    with pytest.raises(ArtefactError, match=r"slide s: expected s.zarr or s.h5 in .*, found s.zarr and s.h5"):
        SlideFiles(features=tmp_path).path("features", "s")


def test_what_no_folder_can_hold_is_an_error(tmp_path):
    with pytest.raises(ArtefactError, match="slide s: nothing was given that could hold its nuclei"):
        SlideFiles(features=tmp_path).path("nuclei", "s")


def test_missing_artefacts_are_named_by_kind(made):
    files = SlideFiles(made.results)
    files.require(["tiles", "nuclei", "cell_graphs", "features"], [NEW, EMPTY])
    with pytest.raises(
        ArtefactError, match=r"expected cell_graphs of 13 slides, 12 lack them: s0, .*s9, \.\.\.\. Make"
    ):
        files.require(["cell_graphs"], [*(f"s{number}" for number in range(12)), NEW])
    with pytest.raises(ArtefactError, match=r"of 2 slides, 1 lack them: s0\. Make"):
        files.require(["tiles"], ["s0", NEW])


def test_slides_that_are_there(made, tmp_path):
    assert SlideFiles(made.results).slide_ids("nuclei") == [NEW, EMPTY, *(f"planted_{n:05}" for n in range(16))]
    (tmp_path / "work").mkdir()
    for name in ("b.tiles.parquet", "a.tiles.parquet", "a.nuclei.parquet"):
        (tmp_path / "work" / name).touch()
    assert SlideFiles(tmp_path).slide_ids("tiles") == ["a", "b"]


def test_artefacts_of_a_slide_are_read(made):
    files = SlideFiles(made.results)
    nuclei, graphs, reason = files.cells(NEW)
    assert len(nuclei) == len(graphs.nucleus_id) == 49
    assert reason is None
    assert files.cells(EMPTY)[2] == "no tissue"
    assert len(files.tiles(NEW)) == 11
    assert files.patches(NEW).features.shape == read_features(made.results / "features/new.zarr").features.shape


def test_cell_graphs_of_another_nucleus_table_are_refused(made, tmp_path):
    shutil.copytree(made.results / "cell_graphs/new.zarr", tmp_path / "old.zarr")
    tiles = SlideFiles(made.results).tiles(NEW)
    write_slide(tmp_path, NEW, tiles, nuclei_frame(tiles, np.array([0, 0, 1]), np.random.default_rng(0)), None)
    assert len(SlideFiles(tmp_path).cells(NEW)[0]) == 3
    shutil.rmtree(tmp_path / "cell_graphs/new.zarr")
    shutil.move(tmp_path / "old.zarr", tmp_path / "cell_graphs/new.zarr")
    with pytest.raises(ArtefactError, match=r"made from another table than .*Build the cell graphs again"):
        SlideFiles(tmp_path).cells(NEW)
