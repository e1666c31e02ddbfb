import pytest

from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.splits import read_splits
from pipeline.errors import ConfigError
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
