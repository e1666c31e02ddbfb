from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from pipeline.artefacts.metrics import read_metrics
from pipeline.artefacts.splits import read_splits
from pipeline.cli import abignet
from pipeline.config import load_config, params
from pipeline.errors import CohortError, ConfigError, DivergenceError
from pipeline.provenance import file_digest
from pipeline.training.cross_validation import tune as module
from pipeline.training.cross_validation.train_cohort import CrossValidation, train_cohort
from pipeline.training.cross_validation.tune import Search, declared_space, draw_trials, rung_epochs, tune
from pipeline.training.evaluation import bootstrap
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import SplitParams, TrainingParams

SHORT = TrainingParams(epochs=6, hidden=8, heads=2)
SPACE = {"learning_rate": [1e-6, 1e-2, 1e-1], "dropout": [0.0, 0.2]}
SPLITS = SplitParams(folds=3, select_share=0.25)


def search(stored, out, **changes):
    keywords = {"method": "mean_pool", "seed": 0, "only_fold": None, "n_trials": 4, "space": SPACE, **changes}
    keywords = {"splits": SPLITS, "training": SHORT, "device": "cpu", "source": "s", **keywords}
    return tune(*stored, out, Search(**keywords))


def test_every_fold_and_the_final_model_get_their_best_trial(stored, tmp_path):
    found = search(stored, tmp_path)
    written = pd.read_csv(tmp_path / "trials.csv")
    assert written["fold"].tolist() == found["fold"].tolist()
    # Four trials of two epochs would tell nothing, so there is one rung of six.
    assert found.groupby("fold").size().to_dict() == {"0": 4, "1": 4, "2": 4, "final": 4}
    for place, trials in found.groupby("fold"):
        (best,) = trials[trials["best"]].to_dict("records")
        assert best["select_loss"] == trials["select_loss"].min()
        config = load_config(tmp_path / f"{'' if place == 'final' else 'fold_'}{place}.yaml")
        chosen = asdict(params(config, "training", TrainingParams))
        preset = asdict(SHORT)
        for key in SPACE:
            assert chosen[key] == (preset[key] if best["trial"] == 0 else pytest.approx(best[key]))
        assert params(config, "splits", SplitParams) == SPLITS


def test_a_third_of_the_trials_goes_on_with_three_times_the_epochs(stored, tmp_path):
    found = search(stored, tmp_path, n_trials=6, training=TrainingParams(epochs=15, hidden=8), only_fold=1)
    assert found["rung"].tolist() == [0] * 6 + [1] * 2
    assert found["epochs"].tolist() == [5] * 6 + [15] * 2
    first = found[found["rung"] == 0].sort_values("select_loss", kind="stable")
    assert found.loc[found["rung"] == 1, "trial"].tolist() == first["trial"].tolist()[:2]
    assert not (tmp_path / "final.yaml").exists()


def test_test_images_are_no_part_of_a_search(stored, tmp_path, monkeypatch):
    seen = []
    fit = module.fit_model

    def watched(cohort, rows, task):
        seen.append((task.seeds.training, set(rows["slide_id"]), set(rows["role"])))
        return fit(cohort, rows, task)

    monkeypatch.setattr(module, "fit_model", watched)
    search(stored, tmp_path, n_trials=2)
    splits = read_splits(tmp_path / "splits.csv")
    for fold in (0, 1, 2):
        rows = splits[splits["fold"] == fold]
        expected = set(rows.loc[rows["role"] != "test", "slide_id"])
        assert all(ids == expected for training, ids, _ in seen if training == f"fold {fold}")
    assert len(seen) == 8
    assert all("test" not in roles for _, _, roles in seen)


def test_the_same_seed_finds_the_same(stored, tmp_path):
    for name in "ab":
        search(stored, tmp_path / name, only_fold=0, n_trials=3)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")


def test_a_trial_that_diverges_loses(stored, tmp_path, monkeypatch):
    fit = module.fit_model

    def diverging(cohort, rows, task):
        if task.spec.settings.learning_rate == METHODS["mean_pool"].settings.learning_rate:
            raise DivergenceError("the loss is nan")
        return fit(cohort, rows, task)

    monkeypatch.setattr(module, "fit_model", diverging)
    found = search(stored, tmp_path, only_fold=0, space={"learning_rate": [1e-2]}, n_trials=2)
    assert found["select_loss"].tolist()[0] == np.inf
    assert found["best"].tolist() == [False, True]
    assert load_config(tmp_path / "fold_0.yaml")["training"]["learning_rate"] == 1e-2


def test_tuned_folds_are_trained_each_with_its_own(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 20)
    by_fold = {fold: TrainingParams(epochs=1, hidden=4 + fold) for fold in range(3)}
    run = CrossValidation(("mean_pool",), 0, SPLITS, SHORT, device="cpu", source="s", by_fold=by_fold)
    train_cohort(*stored, tmp_path, run)
    assert len(read_metrics(tmp_path / "metrics.json")["folds"]) == 3
    for fold in range(3):
        settings = yaml.safe_load((tmp_path / f"fold_{fold}" / "provenance.json").read_text())["params"]["method"]
        assert settings["settings"]["hidden"] == 4 + fold
    del by_fold[2]
    with pytest.raises(ConfigError, match=r"none found for \[2\]"):
        train_cohort(*stored, tmp_path, run)


@pytest.mark.parametrize(
    ("n_trials", "epochs", "expected"), [(1, 200, [200]), (9, 200, [23, 67, 200]), (27, 30, [10, 30])]
)
def test_rungs(n_trials, epochs, expected):
    assert rung_epochs(n_trials, epochs) == expected


def test_trials_differ_and_the_first_is_the_method_itself():
    trials = draw_trials(SPACE, 100, SHORT, seed=0)
    assert [trial.number for trial in trials] == list(range(7))
    assert trials[0].settings == {}
    assert len({tuple(sorted(trial.settings.items())) for trial in trials}) == 7


@pytest.mark.parametrize(
    ("method", "searched"),
    [
        ("default", {"hidden", "layers", "generator_learning_rate", "heads", "temperature", "target_degree"}),
        ("paper_a", {"generator_learning_rate"}),
        ("mean_pool", {"hidden"}),
        ("spatial_graph", {"hidden", "layers", "target_degree"}),
    ],
)
def test_a_method_is_searched_where_it_has_something(method, searched):
    always = {"learning_rate", "weight_decay", "dropout"}
    assert set(declared_space(method_spec(method, SHORT))) == always | searched


@pytest.mark.parametrize("name", [name for name in METHODS if name != "logistic"])
def test_declared_spaces_are_allowed(name):
    draw_trials(declared_space(method_spec(name, SHORT)), 2, SHORT, seed=0)


def test_what_cannot_be_searched_is_refused(stored, tmp_path):
    with pytest.raises(ConfigError, match="logistic has no settings"):
        search(stored, tmp_path, method="logistic", space=None)
    with pytest.raises(ConfigError, match="tune: epochs"):
        search(stored, tmp_path, space={"epochs": [1]})
    with pytest.raises(ConfigError, match=r"training.dropout: expected"):
        search(stored, tmp_path, space={"dropout": [2.0]})
    with pytest.raises(CohortError, match="select_share"):
        search(stored, tmp_path, splits=SplitParams(folds=3, select_share=0.0))


def test_the_command_tunes_and_train_takes_what_it_found(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "BOOTSTRAP_DRAWS", 20)
    sheet = tmp_path / "slides.csv"
    rows = [(r.slide_id, r.case_id, r.label, stored[1][r.slide_id]) for r in stored[0]]
    pd.DataFrame(rows, columns=["slide_id", "case_id", "label", "features"]).to_csv(sheet, index=False)
    (tmp_path / "space.yaml").write_text("dropout: [0.0, 0.2]\n")
    shared = ["--sheet", sheet, "--folds", 2, "--device", "cpu", "--method", "mean_pool"]
    search_only = ["--trials", 2, "--space", tmp_path / "space.yaml", "--set", "epochs=2", "--set", "hidden=4"]
    run("tune", *shared, *search_only, "--out", tmp_path / "tuned")
    result = run("train", *shared, "--tuned", tmp_path / "tuned", "--out", tmp_path / "run")
    assert "mean_pool" in result.output
    assert "[95 % bootstrap interval over patients]" in result.output
    record = yaml.safe_load((tmp_path / "run" / "fold_1" / "provenance.json").read_text())
    assert record["params"]["method"]["settings"]["hidden"] == 4
    (tmp_path / "space.yaml").write_text("dropout: 0.2\n")
    with pytest.raises(ConfigError, match="expected a list of values"):
        run("tune", *shared, *search_only, "--out", tmp_path / "other")


def run(*arguments):
    return CliRunner().invoke(abignet, [str(a) for a in arguments], catch_exceptions=False)
