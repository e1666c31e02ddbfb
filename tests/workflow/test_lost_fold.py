"""A fold of the sheet of which no slide is left: planned before that is known, and told to the end."""

import json
import subprocess
from dataclasses import replace

import pandas as pd
import pytest

from pipeline.artefacts.features import read_features, write_features
from tests.workflow.conftest import ABIGNET, Run, copy_checkout

LOST = 9


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """Twelve planted images in folds 0 to 2, and one without a patch alone in a fold."""
    folder = tmp_path_factory.mktemp("lost")
    subprocess.run([str(ABIGNET), "synth", "planted", "--out", str(folder / "planted"), "--images", "13"], check=True)
    sheet = pd.read_csv(folder / "planted/slides.csv", dtype=str)
    sheet["fold"] = [LOST, *(i // 4 for i in range(12))]
    sheet["label"] = ["0", *(str(i % 2) for i in range(12))]
    sheet.to_csv(folder / "planted/slides.csv", index=False)
    empty = folder / "planted" / sheet["features"][0]
    store = read_features(empty)
    none = {name: getattr(store, name)[:0] for name in ("features", "coords", "tile_id")}
    write_features(empty, replace(store, **none, valid=None, reason="no tissue"))
    return Run(copy_checkout(tmp_path_factory.mktemp("checkout_lost")), folder)


def test_the_run_goes_through_without_that_fold(lost):
    changed = {"sheet": "planted/slides.csv", "methods": ["logistic"], "prediction": {"method": "logistic"}}
    done = lost.snakemake("report", changed=changed)
    assert done.returncode == 0, done.stderr[-3000:]
    training = lost.results / "training/test"
    metrics = json.loads((training / "logistic/seed_0/metrics.json").read_text())
    assert [fold["fold"] for fold in metrics["folds"]] == [0, 1, 2]
    assert [fold["fold"] for fold in metrics["folds_left_out"]] == [LOST]
    assert pd.read_csv(training / "comparison.csv")["n_runs"].tolist() == [3]
    log = (lost.results / f"logs/train_fold/test/logistic/seed_0/fold_{LOST}.log").read_text()
    assert "is not trained: every labelled slide of this fold was left out" in log
    assert "Nothing to be done" in lost.snakemake("report", changed=changed).stderr


def test_folds_that_the_sheet_forbids_are_refused_before_any_job(lost):
    for folds, fault in ((8, "8 folds need 8 patients"), (2, None)):
        sheet = pd.read_csv(lost.folder / "planted/slides.csv", dtype=str).drop(columns="fold")
        sheet.to_csv(lost.folder / "planted/unfolded.csv", index=False)
        changed = {"sheet": "planted/unfolded.csv", "splits": {"folds": folds}, "outdir": "other"}
        done = lost.snakemake("train", "--dry-run", changed=changed)
        assert (done.returncode != 0) is (fault is not None)
        assert fault is None or fault in done.stdout + done.stderr
