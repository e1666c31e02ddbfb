import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from pipeline.logs import ROOT_LOGGER
from pipeline.provenance import file_digest
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting import bilevel
from pipeline.training.fitting import unfinished as module
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.train_final import train_final
from pipeline.training.train_fold import train_fold

CPU = torch.device("cpu")
SHORT = {"epochs": 4, "hidden": 8, "heads": 2, "dropout": 0.3, "pretraining_steps": 30}
EPOCHS = {"default": 40, "paper_a": 5}

N_MODELS = 5
"""Graph models of the default method, one after the other."""

KILLED = """
import json
import sys
from pathlib import Path
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting import unfinished
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.params import TrainingParams
from pipeline.training.train_fold import train_fold

unfinished.PART_SECONDS = 0.0
splits, features, out, partial, method, params = sys.argv[1:]
params = TrainingParams(**json.loads(params))
train_fold(splits, Path(features), out, TrainingJob(method, Split(0, 1), params, "cpu", "s", Path(partial)))
"""


def train(splits, stored, out, partial, method="default", **changes):
    keywords = {"params": TrainingParams(**SHORT), "device": "cpu", "source": "s", **changes}
    train_fold(splits, stored[1], out, TrainingJob(method, Split(0, 1), partial_dir=partial, **keywords))


def kill_amid(splits, stored, out, partial, method, params):
    """Start a training in a process of its own and kill it when it has written its state."""
    features = next(iter(stored[1].values())).parent
    arguments = [str(a) for a in (splits, features, out, partial, method, json.dumps(params))]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments])
    while not list(partial.rglob("[!.]*.pt")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("method", ["default", "paper_a"])
def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(method, splits, stored, tmp_path, caplog):
    whole, killed, partial = (tmp_path / name for name in ("whole", "killed", "partial"))
    values = {**SHORT, "epochs": EPOCHS[method], "patience": 50}
    params = TrainingParams(**values)
    train(splits, stored, whole, None, method, params=params)
    kill_amid(splits, stored, killed, partial, method, values)
    assert not (killed / "model.pt").exists()
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    train(splits, stored, killed, partial, method, params=params)
    assert re.search(r"goes on after \d+ epochs", caplog.text)
    assert file_digest(killed) == file_digest(whole)
    assert not list(partial.rglob("*.pt"))


@pytest.fixture
def interrupted(monkeypatch):
    """``interrupted(run)`` runs a training that writes its state every epoch, up to its model, not beyond."""

    def start(run):
        with monkeypatch.context() as patch:
            patch.setattr(module, "PART_SECONDS", 0.0)
            patch.setattr("pipeline.training.fitting.training_job.write_model", interrupt)
            with pytest.raises(KeyboardInterrupt):
                run()

    return start


@pytest.mark.parametrize(
    "other",
    [
        {"source": "t"},
        {"params": TrainingParams(**{**SHORT, "learning_rate": 0.01})},
        {"params": TrainingParams(**SHORT, upper_gradient="neumann")},
    ],
)
def test_the_state_of_another_configuration_or_source_is_not_gone_on_from(
    other, splits, stored, tmp_path, interrupted, caplog
):
    whole, out, partial = (tmp_path / name for name in ("whole", "out", "partial"))
    interrupted(lambda: train(splits, stored, out, partial))
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    train(splits, stored, out, partial, **other)
    assert "another configuration, input or source" in caplog.text
    assert "goes on after" not in caplog.text
    train(splits, stored, whole, None, **other)
    assert file_digest(out) == file_digest(whole)


def test_the_final_model_goes_on_too(splits, stored, tmp_path, interrupted, caplog):
    whole, out, partial = (tmp_path / name for name in ("whole", "out", "partial"))
    job = TrainingJob("joint", Split(0, None), TrainingParams(**SHORT), "cpu", "s")
    kept = replace(job, partial_dir=partial)
    train_final(splits, stored[1], whole, job, SplitParams(folds=3))
    interrupted(lambda: train_final(splits, stored[1], out, kept, SplitParams(folds=3)))
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    train_final(splits, stored[1], out, kept, SplitParams(folds=3))
    assert f"goes on after {SHORT['epochs']} epochs" in caplog.text
    assert file_digest(out) == file_digest(whole)
    assert not list(partial.rglob("*.pt"))


def interrupt(*_, **__):
    raise KeyboardInterrupt


def interrupt_with_graph(epoch):
    """Epochs of models without a learned graph go through."""

    def first_of_a_graph(run, images, objective):
        if objective.spec.generator != "metric":
            return epoch(run, images, objective)
        raise KeyboardInterrupt

    return first_of_a_graph


def test_pre_training_is_not_repeated_once_it_is_written(splits, stored, tmp_path, monkeypatch, caplog):
    whole, out, partial = (tmp_path / name for name in ("whole", "out", "partial"))
    train(splits, stored, whole, None)
    with monkeypatch.context() as patch:
        patch.setattr(module, "PART_SECONDS", 0.0)
        patch.setattr("pipeline.training.fitting.bilevel._epoch", interrupt_with_graph(bilevel._epoch))
        with pytest.raises(KeyboardInterrupt):
            train(splits, stored, out, partial)
    caplog.clear()
    caplog.set_level("INFO", logger=ROOT_LOGGER)
    train(splits, stored, out, partial)
    assert "goes on after 0 epochs" in caplog.text
    assert caplog.text.count("pre-training: ") == N_MODELS - 1, "the first was interrupted after its own"
    assert file_digest(out) == file_digest(whole)


class Malicious:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code was run')",))


def test_a_state_that_cannot_be_read_is_removed_and_runs_no_code(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "PART_SECONDS", 0.0)
    UnfinishedFit(tmp_path, {"a": 1}).offer(lambda: {"epoch": torch.tensor(3)})
    (path,) = tmp_path.glob("*/state.pt")
    assert int(UnfinishedFit(tmp_path, {"a": 1}).read(CPU)["epoch"]) == 3
    torch.save({"epoch": Malicious()}, path)
    assert UnfinishedFit(tmp_path, {"a": 1}).read(CPU) is None
    assert "training starts anew" in caplog.text
    assert not path.exists()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_state_with_a_flipped_bit_is_not_gone_on_from(tmp_path, monkeypatch, caplog, place):
    monkeypatch.setattr(module, "PART_SECONDS", 0.0)
    UnfinishedFit(tmp_path, {"a": 1}).offer(lambda: {"weights": torch.arange(500.0)})
    (path,) = tmp_path.glob("*/state.pt")
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(bytes(content))
    assert UnfinishedFit(tmp_path, {"a": 1}).read(CPU) is None
    assert "training starts anew" in caplog.text
    assert not path.exists()


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe", b"0123456789abcdef"])
def test_a_damaged_mark_marks_nothing(tmp_path, mark):
    unfinished = UnfinishedFit(tmp_path / "state", {"a": 1})
    (tmp_path / "out").mkdir()
    unfinished.finish(tmp_path / "out")
    next((tmp_path / "state").glob("*/finished")).write_bytes(mark)
    assert not unfinished.is_finished(tmp_path / "out")


def test_a_finished_training_knows_its_results_to_the_byte(tmp_path):
    results, unfinished = tmp_path / "out", UnfinishedFit(tmp_path / "state", {"a": 1})
    results.mkdir()
    (results / "model.pt").write_text("weights")
    assert not unfinished.is_finished(results)
    unfinished.finish(results)
    assert unfinished.is_finished(results)
    assert UnfinishedFit(tmp_path / "state", {"a": 1}).is_finished(results)
    assert not unfinished.is_finished(tmp_path / "elsewhere")
    (results / "model.pt").write_text("other weights")
    assert not unfinished.is_finished(results)
    assert not UnfinishedFit(tmp_path / "state", {"a": 2}).is_finished(results)
    assert not list((tmp_path / "state").iterdir())


def test_it_is_written_at_intervals_and_only_where_a_folder_is_given(tmp_path, monkeypatch):
    unfinished = UnfinishedFit(tmp_path, {})
    unfinished.offer(interrupt)
    monkeypatch.setattr(module, "PART_SECONDS", 0.0)
    nowhere = UnfinishedFit(None, {})
    nowhere.offer(interrupt)
    assert nowhere.read(CPU) is None
    nowhere.remove()
    with pytest.raises(KeyboardInterrupt):
        unfinished.offer(interrupt)
