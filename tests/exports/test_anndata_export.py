import dataclasses
import sys

import anndata
import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.artefacts.learned_graphs import LearnedGraph, write_learned_graphs
from pipeline.artefacts.predictions import prediction_frame, write_predictions
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import write_splits
from pipeline.cli import main
from pipeline.errors import AbignetError, ArtefactError
from pipeline.exports.anndata_export import export_anndata
from pipeline.exports.graphs.trained_folds import folds_of_folder
from tests.exports.results_folder import EMPTY, MADE


@pytest.fixture
def caches(tmp_path):
    """Two slides of two tiles each, one value undefined; only the first has the embedding ``conch``."""
    slides = []
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
        slides.append((SlideRow(f"s{number}", label="x" if number else None, case_id="p"), path))
    return slides


def test_tiles_features_places_and_embeddings_come_back(caches, tmp_path):
    assert export_anndata(caches, tmp_path / "c.h5ad") == 4
    read = anndata.read_h5ad(tmp_path / "c.h5ad")
    assert read.var_names.tolist() == ["a", "b"]
    assert read.obs_names.tolist() == ["s0:4", "s0:7", "s1:4", "s1:7"]
    assert read.obs["label"].tolist() == ["", "", "x", "x"]
    np.testing.assert_array_equal(read.X, [[0, np.nan], [2, 3], [10, np.nan], [12, 13]])
    np.testing.assert_array_equal(read.obsm["spatial"], [[50, 50], [150, 50]] * 2)
    assert list(read.obsm) == ["X_uni", "spatial"]
    assert read.obs["case_id"].tolist() == ["p"] * 4
    assert read.obs["tile_id"].tolist() == [4, 7, 4, 7]
    np.testing.assert_array_equal(read.obsm["X_uni"], [[0] * 3] * 2 + [[1] * 3] * 2)
    assert read.uns["abignet"]["s1"]["mpp"] == 0.5
    assert not read.obsp
    assert not list(tmp_path.glob(".partial*"))


def test_a_slide_without_tiles_costs_nobody_an_embedding(caches, tmp_path):
    none = FeatureStore("e", np.zeros((0, 0), np.float32), (), np.zeros((0, 2), int), np.zeros(0), reason="no tissue")
    write_features(tmp_path / "e.zarr", none)
    assert export_anndata([(SlideRow("e"), tmp_path / "e.zarr"), *caches], tmp_path / "c.h5ad") == 4
    read = anndata.read_h5ad(tmp_path / "c.h5ad")
    assert list(read.obsm) == ["X_uni", "spatial"]
    assert read.uns["abignet"]["e"]["reason"] == "no tissue"
    with pytest.raises(ArtefactError, match="expected at least one slide with tiles"):
        export_anndata([(SlideRow("e"), tmp_path / "e.zarr")], tmp_path / "none.h5ad")


def test_corners_stand_for_centres_where_the_side_is_not_known(caches, tmp_path):
    row, path = caches[0]
    write_features(path, dataclasses.replace(read_features(path), tile_width_l0=None))
    export_anndata([(row, path)], tmp_path / "c.h5ad")
    assert anndata.read_h5ad(tmp_path / "c.h5ad").obsm["spatial"].tolist() == [[0, 0], [100, 0]]


def test_learned_edges_that_were_kept_become_a_matrix(caches, tmp_path):
    """The second slide alone is tested in a fold."""
    row = ("s1", "p", "x", 3, 0, "test")
    write_splits(
        tmp_path / "splits.csv", pd.DataFrame([row], columns=["slide_id", "case_id", "label", "seed", "fold", "role"])
    )
    graph = LearnedGraph(np.array([[0, 1], [1, 0]]), np.array([0.25, 0.75], np.float32), np.array([True, False]))
    write_learned_graphs(tmp_path / "fold_0/graphs.zarr", [("s1", graph)], MADE)
    write_predictions(
        tmp_path / "fold_0/predictions.csv", prediction_frame(["s1"], ["p"], ["x"], "xy", np.array([[0.2, 0.8]]))
    )
    export_anndata(caches, tmp_path / "c.h5ad", trained=folds_of_folder(tmp_path))
    read = anndata.read_h5ad(tmp_path / "c.h5ad")
    expected = np.zeros((4, 4), np.float32)
    expected[2, 3] = 0.25
    np.testing.assert_array_equal(read.obsp["learned_connectivities"].toarray(), expected)
    assert read.obsp["learned_connectivities"].nnz == 1
    assert read.uns["learned"]["connectivities_key"] == "learned_connectivities"
    assert read.uns["learned"]["params"] == {"method": "abignet", "seed": 3}
    assert read.obs["predicted"].tolist() == ["", "", "y", "y"]
    np.testing.assert_allclose(read.obs["p_x"], [np.nan, np.nan, 0.2, 0.2])
    np.testing.assert_allclose(read.obs["strength"], [np.nan, np.nan, 0.25, 0])


def test_command(made, tmp_path, capsys):
    where = ["--sheet", made.sheet, "--features", made.results / "features", "--out", tmp_path / "c.h5ad"]
    with pytest.raises(SystemExit) as caught:
        main(["features", "export-anndata", *map(str, where), "--trained", str(made.trained)])
    assert not caught.value.code
    assert "136 tiles of 18 slides" in capsys.readouterr().out
    read = anndata.read_h5ad(tmp_path / "c.h5ad")
    assert EMPTY in read.uns["abignet"]
    tested = read.obs["predicted"] != ""
    assert read.obs.loc[tested, ["p_0", "strength", "evidence_0", "evidence_1"]].notna().all(axis=None)
    assert read.obs.loc[~tested, ["p_0", "strength", "evidence_0"]].isna().all(axis=None)
    assert 0 < tested.sum() < len(read.obs)
    scores = read.obsp["learned_connectivities"]
    assert (scores != scores.T).nnz == 0
    slide = read.obs["slide_id"].to_numpy()
    source, target = scores.nonzero()
    assert (slide[source] == slide[target]).all()
    assert set(slide[source]) == set(slide) - {"new"}


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
