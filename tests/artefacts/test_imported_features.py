from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.imported_features import read_imported_features
from pipeline.errors import ImportedFileError


@pytest.fixture
def store():
    return FeatureStore(
        slide_id="s",
        features=np.ones((2, 1), np.float32),
        feature_names=("a",),
        coords=np.array([[0, 0], [512, 0]]),
        tile_id=np.arange(2),
        tile_width_l0=512.0,
    )


def test_a_cache_of_another_run_is_read_as_it_is(tmp_path, store):
    write_features(tmp_path / "s.zarr", store)
    read = read_imported_features(tmp_path / "s.zarr", slide_id="s")
    assert read.coords.tolist() == store.coords.tolist()
    assert read.feature_names == ("a",)


@pytest.mark.parametrize(
    ("coords", "words"), [([[0, 0], [0, 0]], "each tile once"), ([[0, 0], [-512, 0]], "tiles on a slide, found")]
)
def test_places_in_a_cache_are_checked_too(tmp_path, store, coords, words):
    write_features(tmp_path / "s.zarr", replace(store, coords=np.array(coords)))
    with pytest.raises(ImportedFileError, match=rf"s\.zarr: expected {words}"):
        read_imported_features(tmp_path / "s.zarr", slide_id="s")


def test_what_is_no_cache_is_an_imported_file_at_fault(tmp_path):
    with pytest.raises(ImportedFileError, match="there is no such folder"):
        read_imported_features(tmp_path / "none.zarr", slide_id="none")
