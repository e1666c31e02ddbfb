from pathlib import Path

import pytest

from pipeline.artefacts.feature_files import feature_path
from pipeline.errors import ArtefactError


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
