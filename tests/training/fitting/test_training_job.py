from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.artefacts.json_files import read_json
from pipeline.errors import CohortError, ConfigError, DeviceError
from pipeline.logs import ROOT_LOGGER
from pipeline.provenance import file_digest
from pipeline.training.cohort.roles import Split
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting import training_job as module
from pipeline.training.fitting.checkpoint import read_model
from pipeline.training.fitting.training_job import TrainingInputs, TrainingJob, train_and_write
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import SplitParams, TrainingParams

CPU = torch.device("cpu")
PARAMS = TrainingParams(epochs=1, hidden=4, pretraining_steps=5, upper_gradient="neumann")
JOB = TrainingJob("mean_pool", Split(3, 0), PARAMS, device="cpu", source="src")


@pytest.fixture
def inputs(cohort, splits):
    nodes, rows = cohort
    return TrainingInputs(splits, rows, nodes)


def test_a_job_says_what_is_fitted_where_with_which_seeds():
    task = JOB.task()
    assert task.spec == method_spec("mean_pool", PARAMS)
    assert task.seeds == Seeds(3, "fold 0")
    assert task.device == torch.device("cpu")
    assert task.fitting == PARAMS.fitting
    assert str(JOB) == "mean_pool, seed 3, fold 0"
    with pytest.raises(ConfigError, match="magic"):
        replace(JOB, method="magic").task()
    with pytest.raises(DeviceError, match="tpu"):
        replace(JOB, device="tpu").task()


def test_each_job_keeps_its_state_apart():
    assert JOB.state_folder is None
    jobs = [
        replace(JOB, method=method, split=Split(seed, fold), partial_dir=Path("p"))
        for method in ("joint", "default")
        for seed in (0, 1)
        for fold in (None, 0, 1)
    ]
    assert len({job.state_folder for job in jobs}) == len(jobs)


def test_the_test_images_are_predicted_where_there_are_any(inputs, tmp_path):
    train_and_write(JOB, inputs, tmp_path / "fold")
    without = replace(inputs, rows=inputs.rows[inputs.rows["role"] != "test"])
    train_and_write(JOB, without, tmp_path / "final")
    names = {"history.csv", "model.pt", "provenance.json"}
    assert {path.name for path in (tmp_path / "final").iterdir()} == names
    of_test_images = {"predictions.csv", "graphs.zarr", "graph_path.json"}
    assert {path.name for path in (tmp_path / "fold").iterdir()} == names | of_test_images
    models = [torch.load(tmp_path / name / "model.pt", weights_only=True)["state"] for name in ("fold", "final")]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_the_provenance_tells_what_the_result_depends_on(inputs, tmp_path):
    train_and_write(JOB, replace(inputs, drawn_by=SplitParams(folds=7)), tmp_path)
    made_by = read_json(tmp_path / "provenance.json", "provenance")
    assert made_by["source"] == "src"
    assert made_by["upstream"] == {"splits": file_digest(inputs.splits_path), "features": inputs.cohort.digest}
    assert (made_by["params"]["seed"], made_by["params"]["fold"]) == (3, 0)
    assert made_by["params"]["method"]["settings"]["hidden"] == 4
    assert made_by["params"]["fitting"]["upper_gradient"] == "neumann"
    assert made_by["params"]["splits"]["folds"] == 7


def test_what_was_done_before_is_kept_until_anything_changes(inputs, tmp_path, caplog, monkeypatch):
    job, out = replace(JOB, partial_dir=tmp_path / "partial"), tmp_path / "out"
    train_and_write(job, inputs, out)
    first = file_digest(out)
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    with monkeypatch.context() as patch:
        patch.setattr(module, "fit_model", None)
        train_and_write(job, inputs, out)
    assert "mean_pool, seed 3, fold 0: done before, kept" in caplog.text
    assert file_digest(out) == first
    caplog.clear()
    train_and_write(replace(job, source="other"), inputs, out)
    assert "done before" not in caplog.text
    (out / "history.csv").unlink()
    train_and_write(replace(job, source="other"), inputs, out)
    assert "done before" not in caplog.text
    assert (out / "history.csv").exists()


def test_nothing_is_left_to_go_on_with_once_it_is_removed(inputs, tmp_path):
    job = replace(JOB, partial_dir=tmp_path / "partial")
    unfinished = train_and_write(job, inputs, tmp_path / "out")
    assert unfinished.is_finished(tmp_path / "out")
    unfinished.remove()
    assert not job.state_folder.exists()


def test_a_model_knows_how_the_features_that_it_was_trained_on_were_made(inputs, tmp_path):
    tested = set(inputs.rows.loc[inputs.rows["role"] == "test", "slide_id"])
    makings = {slide_id: {"mpp": 0.5, "encoder": "uni"} for slide_id in inputs.cohort.slides}
    train_and_write(JOB, replace(inputs, cohort=replace(inputs.cohort, makings=makings)), tmp_path / "alike")
    assert read_model(tmp_path / "alike/model.pt", CPU).making == {"mpp": (0.5,), "encoder": ("uni",)}
    mixed = {s: {**making, "encoder": "held out" if s in tested else "uni"} for s, making in makings.items()}
    other = replace(inputs, cohort=replace(inputs.cohort, makings=mixed))
    with pytest.raises(CohortError, match="encoder is held out, not uni"):
        train_and_write(JOB, other, tmp_path / "mixed")
    train_and_write(replace(JOB, on_mismatch="warn"), other, tmp_path / "mixed")
    assert read_model(tmp_path / "mixed/model.pt", CPU).making["encoder"] == ("uni",)
    assert len(read_json(tmp_path / "mixed/provenance.json", "a provenance")["mismatches"]) == len(tested)
