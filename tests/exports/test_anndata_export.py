import sys

import anndata
import numpy as np
import pytest

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import AbignetError, ArtefactError
from pipeline.exports.anndata_export import export_anndata


@pytest.fixture
def caches(tmp_path):
    """Two slides of two tiles each, one value undefined; only the first has the embedding ``conch``."""
    found = []
    for number in range(2):
        x = np.arange(4, dtype=np.float32).reshape(2, 2) + 10 * number
        x[0, 1] = np.nan
        embeddings = {"uni": np.full((2, 3), number, np.float32)} | ({} if number else {"conch": np.ones((2, 1))})
        store = FeatureStore(
            f"s{number}",
            x,
            ("a", "b"),
            np.array([[0, 0], [100, 0]]),
            np.array([4, 7]),
            mpp=0.5,
            tile_width_l0=100.0,
            valid=~np.isnan(x),
            embeddings=embeddings,
        )
        path = tmp_path / f"s{number}.zarr"
        write_features(path, store)
        found.append((SlideRow(f"s{number}", label="x" if number else None, case_id="p"), path))
    return found


def test_tiles_features_places_and_embeddings_come_back(caches, tmp_path):
    assert export_anndata(caches, tmp_path / "c.h5ad") == 4
    read = anndata.read_h5ad(tmp_path / "c.h5ad")
    assert read.var_names.tolist() == ["a", "b"]
    assert read.obs_names.tolist() == ["s0:4", "s0:7", "s1:4", "s1:7"]
    assert read.obs["label"].tolist() == ["", "", "x", "x"]
    np.testing.assert_array_equal(read.X, [[0, np.nan], [2, 3], [10, np.nan], [12, 13]])
    np.testing.assert_array_equal(read.obsm["spatial"], [[50, 50], [150, 50]] * 2)
    assert list(read.obsm) == ["X_uni", "spatial"]
    assert read.uns["abignet"]["s1"]["mpp"] == 0.5


def test_without_the_package_the_error_says_what_to_install(caches, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(AbignetError, match="pip install 'anndata"):
        export_anndata(caches, tmp_path / "c.h5ad")
    assert not (tmp_path / "c.h5ad").exists()


def test_caches_of_other_features_are_refused(caches, tmp_path):
    other = FeatureStore("o", np.ones((1, 1), np.float32), ("z",), np.zeros((1, 2), int), np.zeros(1))
    write_features(tmp_path / "o.zarr", other)
    with pytest.raises(ArtefactError, match="o: expected the 2 features of s0"):
        export_anndata([*caches, (SlideRow("o"), tmp_path / "o.zarr")], tmp_path / "c.h5ad")
