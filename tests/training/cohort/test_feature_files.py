from pathlib import Path

import pytest

from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import ArtefactError, SheetError
from pipeline.training.cohort.feature_files import feature_files, feature_path


@pytest.fixture
def folder(tmp_path):
    for name in ("a.zarr", "b.h5", "c.zarr", "c.h5"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_holds_one_file_a_slide(folder):
    assert feature_path(folder, "a") == folder / "a.zarr"
    assert feature_path(folder, "b") == folder / "b.h5"
    with pytest.raises(ArtefactError, match=r"slide c: expected c.zarr or c.h5 in .*, found c.zarr and c.h5"):
        feature_path(folder, "c")
    with pytest.raises(ArtefactError, match=r"slide d: .* found neither"):
        feature_path(folder, "d")


def test_a_mapping_is_taken_at_its_word():
    assert feature_path({"a": Path("elsewhere/x.zarr")}, "a") == Path("elsewhere/x.zarr")
    with pytest.raises(ArtefactError, match="slide b: no feature file"):
        feature_path({"a": Path("x")}, "b")


def test_the_sheets_file_beats_the_folders(folder):
    rows = [SlideRow("a", features=Path("own.h5")), SlideRow("b")]
    assert feature_files(rows, folder, "slides.csv") == {"a": Path("own.h5"), "b": folder / "b.h5"}


def test_all_slides_without_a_file_are_named(folder):
    with pytest.raises(SheetError, match=r"2 faults:\n.*slide c: .*\n.*slide d: "):
        feature_files([SlideRow("a"), SlideRow("c"), SlideRow("d")], folder, "slides.csv")
    with pytest.raises(SheetError, match="slide a: no features; fill the column features or give --features"):
        feature_files([SlideRow("a")], None, "slides.csv")
