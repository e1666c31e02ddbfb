"""The command that fills a table of methods goes on where it stopped, and says what is missing."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.artefacts.features import read_features, write_features
from pipeline.synthetic.planted import PlantedParams, write_planted_cohort
from pipeline.training.cohort.roles import Split
from pipeline.training.evaluation import bootstrap
from pipeline.training.fitting.fitting_task import fitted_by
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import DEFAULT_FITTING, TrainingParams

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import method_tables


@pytest.fixture
def fill(tmp_path, monkeypatch, capsys):
    """Run the command on a small planted cohort: its exit code, and what it prints."""
    small = PlantedParams(n_images=40, n_pairs=3, n_distractors=2, key_dim=3, nuisance_dim=2)
    sheet = write_planted_cohort(tmp_path / "cohort", small, seed=3)
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 20)
    monkeypatch.setattr(method_tables, "SETTINGS_TRIED", 2)
    monkeypatch.setattr(method_tables, "AS_IT_COMES", TrainingParams(epochs=1))

    def command(*options):
        cohort = ("--sheet", sheet, "--features", tmp_path / "cohort/features", "--out", tmp_path / "out")
        monkeypatch.setattr(sys, "argv", ["method_tables.py", *map(str, (*cohort, *options))])
        with pytest.raises(SystemExit) as end:
            method_tables.main()
        return end.value.code, capsys.readouterr().out

    return command


@pytest.mark.slow
def test_a_table_is_filled_and_says_so(fill, tmp_path):
    asked = ("--methods", "logistic", "mean_pool", "--tuned", "logistic", "mean_pool", "--seeds", "0")
    code, text = fill(*asked, "--minutes", "0")
    assert (code, "INCOMPLETE: 15 of 15 runs are missing" in text) == (1, True)
    code, text = fill(*asked)
    assert code == 0
    assert "INCOMPLETE" not in text
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| `")}
    assert set(lines) == {"`logistic`", "`mean_pool`", "`mean_pool (tuned)`"}
    assert all("5 of 5" in line for line in lines.values())
    assert all(line.count("|") == 11 for line in lines.values())
    assert (tmp_path / "out/table.md").read_text().startswith("| method | runs |")
    gone = tmp_path / "out/mean_pool/seed_0/fold_3/predictions.csv"
    before = {path: path.stat().st_mtime_ns for path in gone.parents[2].rglob("predictions.csv")}
    gone.unlink()
    assert fill(*asked)[0] == 0
    after = {path: path.stat().st_mtime_ns for path in gone.parents[2].rglob("predictions.csv")}
    assert [path for path in after if after[path] != before[path]] == [gone]


@pytest.mark.slow
def test_a_method_that_is_not_applicable_is_not_missing(fill, tmp_path):
    for path in (tmp_path / "cohort/features").iterdir():
        store = read_features(path)
        write_features(path, replace(store, coords=np.zeros_like(store.coords)))
    code, text = fill("--methods", "logistic", "patch_gcn", "--tuned", "--seeds", "0")
    assert code == 0
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "| `patch_gcn` | not applicable |" in lines[-1]
    assert "patch_gcn: not applicable: slide planted_00000: " in text


@pytest.mark.slow
def test_other_settings_are_other_runs(fill, monkeypatch):
    asked = ("--methods", "mean_pool", "--reference", "mean_pool", "--tuned", "--seeds", "0")
    assert fill(*asked)[0] == 0
    monkeypatch.setattr(method_tables, "AS_IT_COMES", TrainingParams(epochs=2))
    assert "INCOMPLETE: 5 of 5" in fill(*asked, "--minutes", "0")[1]


def test_a_run_is_kept_that_is_older_than_a_key_and_stood_at_its_default(tmp_path):
    split = Split(0, 1)
    table = method_tables.Table(tmp_path, [], {}, (0,), ("joint",), (), "source", fresh=False, device="cpu")
    folder = table.folder("joint", split)
    folder.mkdir(parents=True)
    (folder / "predictions.csv").touch()
    told = method_tables.plain(fitted_by(METHODS["joint"], DEFAULT_FITTING))
    for fitting, is_done in (
        (told["fitting"], True),
        ({key: value for key, value in told["fitting"].items() if key != "tf32"}, True),
        ({**told["fitting"], "tf32": True}, False),
    ):
        made = {"source": "older", "params": {**told, "fitting": fitting}}
        (folder / "provenance.json").write_text(json.dumps(made))
        assert table.is_done("joint", "joint", split) == is_done
