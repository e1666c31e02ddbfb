from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.splits import read_splits
from pipeline.errors import ConfigError, NotApplicableError
from pipeline.logs import ROOT_LOGGER
from pipeline.provenance import file_digest
from pipeline.training.cross_validation.train_cohort import CrossValidation, train_cohort
from pipeline.training.evaluation import bootstrap
from pipeline.training.params import SplitParams, TrainingParams


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 20)


def run(stored, out, methods, only_fold=None):
    training = TrainingParams(epochs=1, hidden=8, pretraining_steps=10)
    splits = SplitParams(folds=3)
    train_cohort(*stored, out, CrossValidation(tuple(methods), 5, splits, training, "cpu", "s", only_fold))


def test_one_method_fills_one_seeds_folder(stored, tmp_path):
    run(stored, tmp_path, ["mean_pool"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "splits.csv",
        "excluded.csv",
        "provenance.json",
        "metrics.json",
        "predictions.csv",
        "predictions.provenance.json",
        "fold_0",
        "fold_1",
        "fold_2",
    }
    metrics = read_metrics(tmp_path / "metrics.json")
    assert (metrics["method"], metrics["seed"], sum(fold["n"] for fold in metrics["folds"])) == ("mean_pool", 5, 36)


def test_several_methods_share_their_splits_and_are_compared(stored, tmp_path):
    run(stored, tmp_path, ["logistic", "mean_pool"], only_fold=1)
    splits = [read_splits(tmp_path / method / "splits.csv") for method in ("logistic", "mean_pool")]
    assert splits[0].equals(splits[1])
    assert not (tmp_path / "logistic" / "fold_0").exists()
    table = read_comparison(tmp_path / "comparison.csv")
    assert table["method"].tolist() == ["logistic", "mean_pool"]
    assert set(table["reference"]) == {"logistic"}
    assert table["n_images"].tolist() == [12, 12]


def test_a_killed_command_keeps_the_folds_that_were_done(stored, tmp_path, monkeypatch, caplog):
    methods = ["logistic", "mean_pool"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(stored, whole, methods)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.training.cross_validation.train_cohort.evaluate_seed", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(stored, killed, methods)
    (killed / "logistic/fold_1/predictions.csv").unlink()
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    run(stored, killed, methods)
    kept = [fold for fold in range(3) if f"logistic, seed 5, fold {fold}: done before, kept" in caplog.text]
    assert kept == [0, 2]
    assert file_digest(killed) == file_digest(whole)
    assert not (killed / ".partial").exists()
    caplog.clear()
    run(stored, killed, methods, only_fold=0)
    assert "done before" not in caplog.text


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_wrong_names_are_refused_before_any_work(stored, tmp_path):
    with pytest.raises(ConfigError, match="magic"):
        run(stored, tmp_path, ["logistic", "magic"])
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="expected one of 0, 1, 2"):
        run(stored, tmp_path, ["logistic"], only_fold=3)


def without_positions(stored):
    rows, features = stored
    moved = {}
    for slide_id, path in features.items():
        store = read_features(path)
        moved[slide_id] = path.parent.parent / "nowhere" / path.name
        write_features(moved[slide_id], replace(store, coords=np.zeros_like(store.coords)))
    return rows, moved


def test_a_method_that_is_not_applicable_is_told_in_the_comparison(stored, tmp_path):
    nowhere = without_positions(stored)
    run(nowhere, tmp_path / "several", ["spatial_graph", "logistic", "patch_gcn", "mean_pool"], only_fold=1)
    table = read_comparison(tmp_path / "several/comparison.csv").set_index("method")
    assert table["status"].str.startswith("not applicable: slide ").to_dict() == {
        "logistic": False,
        "mean_pool": False,
        "spatial_graph": True,
        "patch_gcn": True,
    }
    assert table.loc["patch_gcn", "n_runs"] == 0
    assert np.isnan(table.loc["patch_gcn", "accuracy_mean"])
    assert set(table["reference"]) == {"logistic"}
    assert not (tmp_path / "several/patch_gcn/fold_1").exists()
    with pytest.raises(NotApplicableError, match="found all"):
        run(nowhere, tmp_path / "one", ["patch_gcn"])
    with pytest.raises(NotApplicableError, match="found all"):
        run(nowhere, tmp_path / "none", ["patch_gcn", "spatial_graph"])
