from dataclasses import replace

import pandas as pd
import pytest
import torch

from pipeline.artefacts.json_files import read_json
from pipeline.artefacts.predictions import read_history
from pipeline.artefacts.splits import read_splits
from pipeline.errors import CohortError, ConfigError
from pipeline.provenance import file_digest
from pipeline.training import train_final as module
from pipeline.training.cohort.cohort_nodes import load_nodes
from pipeline.training.cohort.role_tables import final_table, slides_of_splits
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting.checkpoint import read_model
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.train_final import train_final

QUICK = TrainingParams(epochs=2, hidden=8, heads=2, pretraining_steps=10)
SHARES = SplitParams(structure_share=0.4, select_share=0.2)
JOB = TrainingJob("default", Split(4, None), QUICK, device="cpu", source="s")


def test_the_final_model_is_trained_on_every_slide_with_roles_of_its_own(splits, stored, tmp_path):
    """Against the fit itself: roles drawn over all slides with the final model's shares and seeds."""
    train_final(splits, stored[1], tmp_path, JOB, SHARES)
    rows = final_table(slides_of_splits(read_splits(splits)), SHARES, seed=4)
    assert len(rows) == len(stored[0])
    expected, history = fit_model(load_nodes(stored[1], list(rows["slide_id"])), rows, JOB.task())
    model = read_model(tmp_path / "model.pt", torch.device("cpu"))
    for name, weights in expected.network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], weights), name
    assert len(read_history(tmp_path / "history.csv")) == len(history)


def test_it_has_no_predictions_and_says_how_its_roles_were_drawn(splits, stored, tmp_path):
    train_final(splits, stored[1], tmp_path, JOB, SHARES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "model.pt", "provenance.json"]
    params = read_json(tmp_path / "provenance.json", "provenance")["params"]
    assert params["splits"] == {"folds": 5, "structure_share": 0.4, "select_share": 0.2}
    assert (params["seed"], params["fold"]) == (4, None)


def test_the_same_job_gives_the_same_bytes_and_leaves_no_state(splits, stored, tmp_path):
    for name in "ab":
        train_final(splits, stored[1], tmp_path / name, replace(JOB, partial_dir=tmp_path / "partial"), SHARES)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")
    assert not [path for path in (tmp_path / "partial").rglob("*") if path.is_file()]


def test_what_cannot_be_trained_is_told_before_features_are_read(splits, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load_nodes", None)
    with pytest.raises(ConfigError, match="magic"):
        train_final(splits, stored[1], tmp_path, replace(JOB, method="magic"), SHARES)
    pd.read_csv(splits, dtype=str)[:0].to_csv(tmp_path / "splits.csv", index=False)
    with pytest.raises(CohortError, match="no slide to train on"):
        train_final(tmp_path / "splits.csv", stored[1], tmp_path, JOB, SHARES)
