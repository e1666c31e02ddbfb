import json

import pandas as pd

from tests.commands.running import run


def test_train_and_predict_from_feature_caches_alone(tmp_path, cohort):
    out = tmp_path / "out"
    options = ["--folds", 3, "--seed", 5, "--set", "splits.select_share=0", "--set", "epochs=20"]
    assert run("train", "--sheet", cohort / "slides.csv", "--out", out, "--method", "logistic", *options) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["method"], metrics["seed"]) == ("logistic", 5)
    assert [entry["fold"] for entry in metrics["folds"]] == [0, 1, 2]
    assert metrics["mean"]["accuracy"] > 0.9
    splits = pd.read_csv(out / "splits.csv")
    assert {"slide_id", "case_id", "label", "seed", "fold", "role"} <= set(splits.columns)

    table = tmp_path / "predictions.csv"
    assert run("predict", "--model", out / "fold_0/model.pt", "--features", cohort / "features", "--out", table) == 0
    predictions = pd.read_csv(table)
    assert len(predictions) == 12
    assert {"slide_id", "case_id", "label", "predicted", "p_a", "p_b"} <= set(predictions.columns)
