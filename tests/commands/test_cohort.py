from pathlib import Path

import pytest

from pipeline.artefacts.sheet import SlideRow, read_sheet
from pipeline.commands.cohort import LearningRequest, feature_files, labelled_rows, warn_of_folds
from pipeline.config import load_config
from pipeline.errors import ConfigError, SheetError
from pipeline.training.params import SplitParams, TrainingParams


@pytest.fixture
def folder(tmp_path):
    for name in ("a.zarr", "b.h5", "c.zarr", "c.h5"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def sheet(tmp_path):
    """Three patients of each of two classes, and a slide without label."""
    for name in ("new", *(f"s{i}" for i in range(6))):
        (tmp_path / f"{name}.tif").touch()
    rows = [f"s{i},s{i}.tif,{'xy'[i % 2]}" for i in range(6)]
    path = tmp_path / "slides.csv"
    path.write_text("\n".join(["slide_id,path,label", *rows, "new,new.tif,"]) + "\n")
    return path


def test_labelled_rows_are_those_that_folds_can_be_made_of(sheet):
    rows = labelled_rows(sheet, load_config(settings=["folds=3"]))
    assert [row.slide_id for row in rows] == [f"s{i}" for i in range(6)]
    with pytest.raises(SheetError, match=r"slides.csv: 2 faults:(.*\n)+.*4 folds need 4 patients .* 'y' has 3"):
        labelled_rows(sheet, load_config(settings=["folds=4"]))
    with pytest.raises(ConfigError, match="temperature_scaling"):
        labelled_rows(sheet, load_config(settings=["folds=3", "select_share=0", "temperature_scaling=true"]))


def test_features_are_warned_of_what_would_stop_a_training(sheet, caplog):
    rows = read_sheet(sheet)
    warn_of_folds(rows, load_config(settings=["folds=3"]), sheet)
    warn_of_folds([row for row in rows if row.label is None], load_config(), sheet)
    assert not caplog.records
    warn_of_folds(rows, load_config(settings=["folds=4"]), sheet)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "4 folds need 4 patients of each class, class 'x' has 3" in caplog.text


def test_the_sheets_file_beats_the_folders(folder):
    rows = [SlideRow("a", features=Path("own.h5")), SlideRow("b")]
    assert feature_files(rows, folder, "slides.csv") == {"a": Path("own.h5"), "b": folder / "b.h5"}


def test_all_slides_without_a_file_are_named(folder):
    with pytest.raises(SheetError, match=r"2 faults:\n.*slide c: .*\n.*slide d: "):
        feature_files([SlideRow("a"), SlideRow("c"), SlideRow("d")], folder, "slides.csv")
    with pytest.raises(SheetError, match="slide a: no features; fill the column features or give --features"):
        feature_files([SlideRow("a")], None, "slides.csv")


@pytest.fixture
def asked(sheet, folder):
    """Make a request of the options that differ from what is not given."""

    def make(**given) -> LearningRequest:
        unset = dict.fromkeys(("features_dir", "folds", "only_fold", "seed", "device", "config_path"))
        return LearningRequest(**{"sheet_path": sheet, **unset, "settings": (), **given})

    return make


def test_options_beat_the_configuration(asked, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seeds: [7, 8]\ndevice: cpu\nsplits: {folds: 2}\n")
    request = asked(config_path=path, settings=("epochs=9", "select_share=0.2"))
    assert (request.first_seed, request.config["device"]) == (7, "cpu")
    assert request.splits == SplitParams(folds=2, select_share=0.2)
    assert request.training == TrainingParams(epochs=9)
    request = asked(config_path=path, seed=0, folds=3, device="auto")
    assert (request.first_seed, request.config["device"], request.splits.folds) == (0, "auto", 3)


def test_a_request_finds_labelled_slides_and_their_files(asked, folder):
    for number in range(6):
        (folder / f"s{number}.h5").touch()
    request = asked(features_dir=folder, folds=3)
    assert [row.slide_id for row in request.rows] == [f"s{i}" for i in range(6)]
    assert request.files == {f"s{i}": folder / f"s{i}.h5" for i in range(6)}
    with pytest.raises(SheetError, match="4 folds need 4 patients"):
        _ = asked(folds=4).rows
