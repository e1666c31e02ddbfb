import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Batch

from pipeline.artefacts.features import read_features
from pipeline.commands.export_pyg import LEVELS as LEVELS_OF_COMMAND
from pipeline.errors import ArtefactError
from pipeline.exports.export_pyg import INDEX_COLUMNS, export_pyg
from pipeline.exports.graphs.cohort_slides import CohortSlide
from pipeline.exports.graphs.graph_files import read_graph
from pipeline.exports.graphs.slide_files import SlideFiles
from pipeline.exports.graphs.slide_graph import LEVELS, GraphSources
from pipeline.exports.graphs.trained_folds import folds_of_folder
from pipeline.provenance import file_digest
from tests.commands.running import run
from tests.exports.results_folder import EMPTY, NEW

SLIDES = (CohortSlide("planted_00003", "case_00003", "1"), CohortSlide(EMPTY, "p", "0"), CohortSlide(NEW, NEW))


def export(made, out, level="hetero", slides=SLIDES, **changed):
    sources = GraphSources(SlideFiles(made.results), **changed)
    return export_pyg(slides, sources, out, level=level, class_names=("0", "1"), source="0123456789abcdef")


@pytest.mark.parametrize("level", ["cells", "cells-by-patch", "patches", "hetero"])
def test_one_file_a_slide_and_an_index_that_counts_them(made, tmp_path, level):
    index = export(made, tmp_path, level)
    stored = pd.read_csv(tmp_path / "index.csv", keep_default_na=False)
    assert stored.columns.tolist() == list(INDEX_COLUMNS)
    assert stored.astype(str).equals(index.astype(str))
    assert stored["slide_id"].tolist() == ["planted_00003", EMPTY, NEW]
    for row in stored.itertuples():
        graph = read_graph(tmp_path / row.file)
        graphs = graph if isinstance(graph, list) else [graph]
        assert row.n_graphs == len(graphs)
        assert row.n_nodes == sum(one.num_nodes for one in graphs)
        assert row.n_edges == sum(one.num_edges for one in graphs)
        assert all(one.slide_id == row.slide_id for one in graphs)
    assert stored["reason"].tolist() == ["", "no kept tile" if level == "cells-by-patch" else "no tissue", ""]
    assert stored["label"].tolist() == ["1", "0", ""]


def test_provenance_has_the_digest_of_everything_read(made, tmp_path):
    fold = folds_of_folder(made.trained).fold_of["planted_00003"]
    export(made, tmp_path, "hetero", SLIDES[:1], trained=folds_of_folder(made.trained))
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert record["upstream"] == {
        "planted_00003/features": file_digest(made.results / "features/planted_00003.zarr"),
        "planted_00003/cell_graphs": file_digest(made.results / "cell_graphs/planted_00003.zarr"),
        "planted_00003/nuclei": file_digest(made.results / "nuclei/planted_00003.parquet"),
        "planted_00003/tiles": file_digest(made.results / "tiles/planted_00003.parquet"),
        f"learned/fold_{fold}": file_digest(made.trained / f"fold_{fold}/graphs.zarr"),
    }
    assert record["params"] == {"level": "hetero", "n_nearest": 8, "class_names": ["0", "1"]}
    assert record["source"] == "0123456789abcdef"


def test_a_level_without_learned_graphs_does_not_depend_on_them(made, tmp_path):
    export(made, tmp_path, "patches", SLIDES[:1], trained=folds_of_folder(made.trained))
    assert list(json.loads((tmp_path / "provenance.json").read_text())["upstream"]) == ["planted_00003/features"]


def test_nothing_is_written_when_an_artefact_is_missing(made, tmp_path):
    with pytest.raises(ArtefactError, match="1 lack them: ghost"):
        export(made, tmp_path / "out", "cells", (*SLIDES, CohortSlide("ghost", "p")))
    assert not (tmp_path / "out").exists()


def test_the_same_artefacts_give_the_same_bytes(made, tmp_path):
    for name in ("a", "b"):
        export(made, tmp_path / name)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")


def test_several_slides_make_a_batch_with_the_right_ptr(made, tmp_path):
    export(made, tmp_path, "cells")
    graphs = [read_graph(tmp_path / f"{slide.slide_id}.pt") for slide in SLIDES]
    batch = Batch.from_data_list(graphs)
    assert batch.ptr.tolist() == [0, 49, 49, 98]
    assert batch.y.tolist() == [1, 0, -1]
    assert batch.slide_id == ["planted_00003", EMPTY, NEW]
    last = batch.edge_index[:, -graphs[2].num_edges :] - 49
    assert last.equal(graphs[2].edge_index)
    assert batch.batch.bincount().tolist() == [49, 0, 49]


def test_hetero_slides_make_a_batch(made, tmp_path):
    export(made, tmp_path)
    batch = Batch.from_data_list([read_graph(tmp_path / f"{slide.slide_id}.pt") for slide in SLIDES])
    assert batch["patch"].ptr.tolist() == [0, 8, 8, 16]
    in_patch = batch["nucleus", "in", "patch"].edge_index
    assert (batch["nucleus"].batch[in_patch[0]] == batch["patch"].batch[in_patch[1]]).all()


def test_patches_of_slides_make_a_batch(made, tmp_path):
    export(made, tmp_path, "cells-by-patch")
    batch = Batch.from_data_list([*read_graph(tmp_path / f"{NEW}.pt"), *read_graph(tmp_path / "planted_00003.pt")])
    assert len(batch.tile_id) == batch.num_graphs == 20
    assert batch.ptr.diff().tolist() == batch.batch.bincount(minlength=20).tolist()


def test_the_command_offers_every_level():
    assert list(LEVELS_OF_COMMAND) == list(LEVELS)


def test_command_with_a_run(made, tmp_path, capsys):
    where = ["--outdir", made.results, "--run", "main"]
    assert run("export-pyg", *where, "--level", "learned", "--out", tmp_path / "all") == 0
    assert "16 slides, 16 graphs, 128 nodes, 896 edges" in capsys.readouterr().out
    index = pd.read_csv(tmp_path / "all/index.csv", dtype=str)
    folds = folds_of_folder(made.trained).fold_of
    assert {row.slide_id: int(row.fold) for row in index.itertuples()} == folds
    assert set(index["role"]) == {"test"}
    graph = read_graph(tmp_path / "all/planted_00003.pt")
    assert (graph.case_id, graph.label, graph.y.tolist(), graph.class_names) == ("case_00003", "1", [1], ["0", "1"])

    assert run("export-pyg", *where, "--level", "learned", "--fold", 1, "--out", tmp_path / "fold") == 0
    assert set(pd.read_csv(tmp_path / "fold/index.csv")["slide_id"]) == {s for s, fold in folds.items() if fold == 1}

    assert run("export-pyg", *where, "--level", "patches", "--fold", 1, "--out", tmp_path / "roles") == 0
    roles = pd.read_csv(tmp_path / "roles/index.csv")
    assert len(roles) == 16
    assert set(roles["role"]) == {"train", "structure", "select", "test"}


def test_command_with_a_sheet_and_named_slides(made, tmp_path):
    where = ["--outdir", made.results, "--sheet", made.sheet, "--slide", NEW, "--slide", "planted_00001"]
    assert run("export-pyg", *where, "--out", tmp_path) == 0
    index = pd.read_csv(tmp_path / "index.csv", keep_default_na=False)
    assert index["slide_id"].tolist() == [NEW, "planted_00001"]
    assert index["case_id"].tolist() == [NEW, "case_00001"]
    # Classes are those of the sheet, whatever slides are named.
    assert read_graph(tmp_path / "planted_00001.pt").y.tolist() == [1]


def test_command_without_sheet_or_run_takes_what_is_there(made, tmp_path):
    assert run("export-pyg", "--outdir", made.results, "--level", "cells", "--out", tmp_path) == 0
    index = pd.read_csv(tmp_path / "index.csv", keep_default_na=False)
    assert len(index) == 18
    assert set(index["label"]) == {""}


def test_command_after_train_without_the_pipeline(made, tmp_path):
    trained = tmp_path / "trained"
    shutil.copytree(made.trained, trained)
    shutil.copy(made.splits, trained)
    where = ["--features", made.results / "features", "--trained", trained, "--n-nearest", 1]
    assert run("export-pyg", *where, "--level", "learned", "--out", tmp_path / "out") == 0
    graph = read_graph(tmp_path / "out/planted_00000.pt")
    np.testing.assert_array_equal(graph.x, read_features(made.results / "features/planted_00000.zarr").features)
    assert run("export-pyg", *where, "--level", "patches", "--out", tmp_path / "near") == 0
    near = torch.load(tmp_path / "near/planted_00000.pt")
    assert 0 < near["edge_index"].shape[1] < 56


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--level", "learned"], "level learned needs a training"),
        (["--level", "learned", "--run", "main", "--method", "magic"], "found default seed_0"),
        (["--level", "learned", "--run", "other"], "training/other"),
        (["--level", "learned", "--run", "main", "--fold", "9"], "no rows of seed 0, fold 9"),
        (["--level", "learned", "--run", "main", "--slide", NEW], f"found {NEW}"),
        (["--slide", "ghost"], "found ghost"),
        (["--level", "magic"], "'magic' is not one of"),
        (["--n-nearest", "0"], "0 is not in the range"),
    ],
)
def test_bad_input_is_told(made, tmp_path, capsys, options, expected):
    assert run("export-pyg", "--outdir", made.results, "--out", tmp_path / "out", *options) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("level", ["cells", "cells-by-patch", "hetero", "patches"])
def test_levels_say_what_folder_they_need(made, tmp_path, capsys, level):
    where = ["--features", made.results / "features"] if level not in ("patches",) else []
    assert run("export-pyg", *where, "--level", level, "--out", tmp_path / "out") == 2
    assert f"level {level} needs the results of a run" in capsys.readouterr().err


def test_a_run_needs_its_outdir_and_no_other_training(made, tmp_path, capsys):
    features = ["--features", made.results / "features", "--level", "learned", "--out", tmp_path / "out"]
    assert run("export-pyg", *features, "--run", "main") == 2
    assert run("export-pyg", *features, "--outdir", made.results, "--run", "main", "--trained", made.trained) == 2
    assert capsys.readouterr().err.count("--run names a run in --outdir") == 2
