import numpy as np
import pytest

from pipeline.artefacts.json_files import read_json, write_provenance
from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.pooled_predictions import read_pooled_predictions
from pipeline.artefacts.predictions import write_predictions
from pipeline.errors import ArtefactError
from pipeline.logs import ROOT_LOGGER
from pipeline.training.evaluate import evaluate, metrics_of
from pipeline.training.evaluation import bootstrap
from pipeline.training.evaluation.fold_predictions import MethodRun
from tests.training.predicted_frames import frame

pytestmark = pytest.mark.usefixtures("few_draws")

RUN = MethodRun("default", 3, (0, 1))


def test_means_and_deviations_are_over_folds():
    metrics = metrics_of({0: frame([1] * 8), 1: frame([1, 1, 0, 0] * 2, 1)}, RUN)
    assert [fold["accuracy"] for fold in metrics["folds"]] == [1, 0.5]
    assert metrics["mean"]["accuracy"] == 0.75
    assert metrics["sd"]["accuracy"] == pytest.approx(np.std([1, 0.5], ddof=1))
    assert np.array(metrics["confusion"]).sum() == 16
    low, high = metrics["ci95"]["accuracy"]
    assert low < 0.75 < high


def test_one_fold_has_no_deviation():
    metrics = metrics_of({4: frame([1, 1, 0, 0])}, RUN)
    assert set(metrics["sd"].values()) == {None}
    assert metrics["folds"][0]["fold"] == 4


def test_patients_are_the_units_of_the_interval():
    right = ([1] * 4 + [0] * 4) * 8
    by_image, by_patient = (metrics_of({0: frame(right, 0, n)}, RUN) for n in (1, 4))
    assert (by_image["unit"], by_patient["unit"]) == ("image", "patient")
    width = [np.ptp(metrics["ci95"]["accuracy"]) for metrics in (by_image, by_patient)]
    # Four images of a patient are right or wrong together: about twice the standard error.
    assert 1.5 < width[1] / width[0] < 2.6


def test_the_bootstrap_interval_is_near_the_binomial_one(monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 2000)
    low, high = metrics_of({0: frame([1, 1, 1, 1, 1, 0, 1, 0] * 25)}, RUN)["ci95"]["accuracy"]
    half = 1.96 * np.sqrt(0.75 * 0.25 / 200)
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.012)


def test_a_run_becomes_files(tmp_path):
    for method, right in (("default", [1] * 6), ("logistic", [1, 0] * 3)):
        for seed in (0, 1):
            for fold in (0, 1):
                path = tmp_path / method / f"seed_{seed}" / f"fold_{fold}" / "predictions.csv"
                write_predictions(path, frame(right, fold))
    evaluate(tmp_path, methods=["default", "logistic"], seeds=[0, 1], folds=[0, 1], source="s")
    metrics = read_metrics(tmp_path / "logistic" / "seed_1" / "metrics.json")
    assert (metrics["method"], metrics["seed"], metrics["mean"]["accuracy"]) == ("logistic", 1, 0.5)
    assert set(metrics["mean"]) == set(METRICS)
    pooled = read_pooled_predictions(tmp_path / "logistic" / "predictions.csv")
    assert pooled.groupby(["seed", "fold"]).size().tolist() == [6, 6, 6, 6]
    provenance = read_json(tmp_path / "logistic" / "predictions.provenance.json", "provenance")
    assert set(provenance["upstream"]) == {f"seed_{seed}/fold_{fold}" for seed in (0, 1) for fold in (0, 1)}
    comparison = read_comparison(tmp_path / "comparison.csv")
    assert comparison["n_runs"].tolist() == [4, 4]
    assert comparison["n_images"].tolist() == [12, 12]
    first = (tmp_path / "comparison.csv").read_bytes()
    evaluate(tmp_path, methods=["default", "logistic"], seeds=[0, 1], folds=[0, 1], source="s")
    assert (tmp_path / "comparison.csv").read_bytes() == first


def test_missing_predictions_are_an_error(tmp_path):
    with pytest.raises(ArtefactError, match="fold_0"):
        evaluate(tmp_path, methods=["default"], seeds=[0], folds=[0], source="s")


def test_a_fold_without_test_image_is_left_out_and_told(tmp_path, caplog):
    """Folds 0 and 2 of three are tested; the comparison has two runs, by means over these."""
    for method, right in (("default", [1] * 6), ("joint", [1, 0] * 3)):
        for fold in (0, 1, 2):
            table = frame(right, fold)
            write_predictions(
                tmp_path / method / "seed_0" / f"fold_{fold}" / "predictions.csv", table[:0] if fold == 1 else table
            )
        write_provenance(tmp_path / method / "seed_0" / "fold_1", {"reason": "no patch"})
    evaluate(tmp_path, methods=["default", "joint"], seeds=[0], folds=[0, 1, 2], source="s")
    assert "joint, seed 0: fold 1 is left out of the evaluation: no patch" in caplog.text
    metrics = read_metrics(tmp_path / "joint" / "seed_0" / "metrics.json")
    assert metrics["folds_left_out"] == [{"fold": 1, "reason": "no patch"}]
    assert [fold["fold"] for fold in metrics["folds"]] == [0, 2]
    assert metrics["mean"]["accuracy"] == 0.5
    assert read_comparison(tmp_path / "comparison.csv")["n_runs"].tolist() == [2, 2]


def test_one_table_is_printed(tmp_path, caplog):
    for method in ("default", "joint"):
        write_predictions(tmp_path / method / "seed_0" / "fold_0" / "predictions.csv", frame([1, 1, 1, 0] * 5))
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    evaluate(tmp_path, methods=["default", "joint"], seeds=[0], folds=[0], source="s")
    (header,) = [line for line in caplog.text.splitlines() if "balanced_accuracy" in line]
    assert header.split()[:3] == ["method", "runs", "images"]
    (row,) = [line for line in caplog.text.splitlines() if line.split()[:1] == ["joint"]]
    assert "0.750 [" in row
    assert "+0.000" in row
    matrix = caplog.text.split("joint: true by predicted\n")[1].splitlines()[:3]
    # Every fourth image, of class 1, is wrong.
    assert [line.split() for line in matrix] == [["0", "1"], ["0", "10", "0"], ["1", "5", "5"]]
