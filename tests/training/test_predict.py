from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.predictions import read_predictions
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_excluded
from pipeline.errors import CohortError
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.predict import predict
from pipeline.training.split_cohort import SplitJob, split_cohort
from pipeline.training.train_fold import train_fold

NEW = SlideRow(slide_id="new", case_id="new")


def emptied(store):
    none = {name: getattr(store, name)[:0] for name in ("features", "coords", "tile_id")}
    return replace(store, **none, reason="no tissue")


def job(method, params):
    return TrainingJob(method, Split(0, 0), params, device="cpu", source="s")


@pytest.fixture(scope="module")
def fold(stored, splits, tmp_path_factory):
    root = tmp_path_factory.mktemp("fold")
    train_fold(splits, stored[1], root, job("default", TrainingParams(epochs=1, hidden=8, pretraining_steps=10)))
    return root


def run(fold, features, rows, out):
    predict(fold / "model.pt", features, out, rows=rows, device="cpu", source="s")
    return read_predictions(out)


def test_a_stored_model_repeats_the_folds_predictions(fold, stored, tmp_path):
    expected = read_predictions(fold / "predictions.csv")
    by_id = {row.slide_id: row for row in stored[0]}
    found = run(fold, stored[1], [by_id[slide_id] for slide_id in expected["slide_id"]], tmp_path / "p.csv")
    pd.testing.assert_frame_equal(found, expected)


def test_large_images_are_predicted_as_in_their_fold_and_nearly_as_small_ones(stored, splits, tmp_path):
    tables = {}
    for limit in (4, 8):
        # All pairs are candidates, and pre-training, which draws patches, is left out.
        params = TrainingParams(epochs=2, hidden=8, dense_limit=limit, similar_candidates=7, pretraining_steps=0)
        train_fold(splits, stored[1], tmp_path / str(limit), job("default", params))
        tables[limit] = read_predictions(tmp_path / f"{limit}/predictions.csv")
    by_id = {row.slide_id: row for row in stored[0]}
    rows = [by_id[slide_id] for slide_id in tables[4]["slide_id"]]
    pd.testing.assert_frame_equal(run(tmp_path / "4", stored[1], rows, tmp_path / "p.csv"), tables[4])
    np.testing.assert_allclose(tables[4]["p_1"], tables[8]["p_1"], atol=1e-4)


def test_a_model_asks_for_the_embeddings_it_was_trained_with(stored, tmp_path):
    rng = np.random.default_rng(0)
    for slide_id, path in stored[1].items():
        store = read_features(path)
        values = rng.normal(size=(len(store.features), 2)).astype(np.float32)
        write_features(tmp_path / f"{slide_id}.zarr", replace(store, embeddings={"uni": values}))
    with_embedding = {slide_id: tmp_path / f"{slide_id}.zarr" for slide_id in stored[1]}
    split_cohort(stored[0], with_embedding, tmp_path, SplitJob(SplitParams(), seeds=(0,), source="s"))
    params = TrainingParams(epochs=1, hidden=8, embeddings=["uni"])
    train_fold(tmp_path / "splits.csv", with_embedding, tmp_path / "fold", job("mean_pool", params))
    expected = read_predictions(tmp_path / "fold/predictions.csv")
    by_id = {row.slide_id: row for row in stored[0]}
    rows = [by_id[slide_id] for slide_id in expected["slide_id"]]
    pd.testing.assert_frame_equal(run(tmp_path / "fold", with_embedding, rows, tmp_path / "p.csv"), expected)
    with pytest.raises(CohortError, match="no embedding 'uni'"):
        run(tmp_path / "fold", stored[1], rows, tmp_path / "q.csv")


def test_unlabelled_slides_keep_an_empty_label_and_empty_ones_go_aside(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    write_features(tmp_path / "new.zarr", store)
    write_features(tmp_path / "bare.zarr", replace(emptied(store), feature_names=(), features=np.zeros((0, 0))))
    found = run(fold, tmp_path, [SlideRow(slide_id="bare", case_id="c"), NEW], tmp_path / "run.csv")
    assert found[["slide_id", "label"]].to_numpy().tolist() == [["new", ""]]
    excluded = read_excluded(tmp_path / "run.excluded.csv")
    assert excluded.to_numpy().tolist() == [["bare", "c", "", "no tissue"]]
    assert (tmp_path / "run.provenance.json").exists()


def test_labels_are_carried_as_given_even_those_the_model_does_not_know(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    labels = {"x": "1", "y": "other", "z": "other"}
    rows = [SlideRow(slide_id=name, case_id="c", label=label) for name, label in labels.items()]
    for name in ("x", "y"):
        write_features(tmp_path / f"{name}.zarr", store)
    write_features(tmp_path / "z.zarr", emptied(store))
    predictions = run(fold, tmp_path, rows, tmp_path / "run.csv")
    assert predictions["label"].tolist() == ["1", "other"]
    assert predictions.columns.tolist()[4:] == ["p_0", "p_1"]
    assert predictions["p_1"].iloc[0] == predictions["p_1"].iloc[1]
    assert read_excluded(tmp_path / "run.excluded.csv").to_numpy().tolist() == [["z", "c", "other", "no tissue"]]


def test_only_empty_slides_give_an_empty_table(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    write_features(tmp_path / "new.zarr", emptied(store))
    found = run(fold, tmp_path, [NEW], tmp_path / "run.csv")
    assert found.empty
    assert "p_1" in found.columns


def test_other_features_are_refused(fold, stored, tmp_path):
    store = read_features(next(iter(stored[1].values())))
    renamed = ("other", *store.feature_names[1:])
    write_features(tmp_path / "new.zarr", replace(store, feature_names=renamed))
    with pytest.raises(CohortError, match=r"feature 0 is 'other' instead of 'rotated_0'"):
        run(fold, tmp_path, [NEW], tmp_path / "run.csv")
