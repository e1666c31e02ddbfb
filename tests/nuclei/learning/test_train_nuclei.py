import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ArtefactError, CohortError, DivergenceError, WeightsError
from pipeline.nuclei.learning import train_nuclei as module
from pipeline.nuclei.learning.train_nuclei import flow_loss, train_nuclei
from pipeline.nuclei.learning.training_machine import TrainingMachine
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import TrainingPictures
from pipeline.nuclei.network.weights import load_weights
from pipeline.synthetic.painting.tissue import PaintedTissue

SMALL = NucleiTrainingParams(
    steps=8, warmup_steps=2, batch_size=2, crop_px=48, base_channels=4, held_out_fraction=0.0, validate_every=4
)

HALF_HELD_OUT = replace(SMALL, held_out_fraction=0.5)


@pytest.fixture(scope="module")
def pairs(tissue: PaintedTissue) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(tissue.rgb, tissue.labels)]


def tensors(path: Path) -> dict[str, np.ndarray]:
    return dict(load_weights(path).state)


def test_loss_by_hand() -> None:
    """Flows off by 1 everywhere give 1 / 2; logits of 0 give ln 2."""
    flows = torch.ones(1, 2, 4, 4) / 5
    output = torch.cat([torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)], dim=1)
    assert flow_loss(output, flows, torch.ones(1, 4, 4)).item() == pytest.approx(0.5 + np.log(2))


def test_training_lowers_the_loss(pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    params = replace(
        SMALL, steps=30, validate_every=6, learning_rate=5e-3, batch_size=4, base_channels=8, blank_fraction=0.0
    )
    losses = [row["loss"] for row in train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=params).history]
    assert losses[-1] < 0.9 * losses[0]


def test_same_seed_same_weights_and_another_seed_others(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train_nuclei(TrainingPictures(pairs, pairs), tmp_path / f"{name}.pt", params=replace(SMALL, steps=4, seed=seed))
    first, again, other = (tensors(tmp_path / f"{name}.pt") for name in "abc")
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["output.2.weight"], other["output.2.weight"])


def test_resumed_equals_uninterrupted(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_nuclei(TrainingPictures(pairs), tmp_path / "whole.pt", params=SMALL)
    calls = {"n": 0}

    def power_cut(*arguments: torch.Tensor) -> torch.Tensor:
        calls["n"] += 1
        if calls["n"] == 6:
            raise KeyboardInterrupt
        return flow_loss(*arguments)

    monkeypatch.setattr(module, "flow_loss", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train_nuclei(TrainingPictures(pairs), tmp_path / "cut.pt", params=SMALL)
    resumed = train_nuclei(TrainingPictures(pairs), tmp_path / "cut.pt", params=SMALL)
    assert resumed.best_step == whole.best_step == 8
    uncut, cut = tensors(tmp_path / "whole.pt"), tensors(tmp_path / "cut.pt")
    assert all(np.array_equal(uncut[name], cut[name]) for name in uncut)


@pytest.mark.parametrize("changed", ["parameters", "pictures", "first weights", "source"])
def test_what_was_cut_off_is_not_gone_on_with_as_another_training(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Whatever the weights depend on makes another training of it."""
    short = replace(SMALL, steps=2, warmup_steps=1, validate_every=2)
    train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=short)
    written = (tmp_path / "w.pt").read_bytes()
    params = replace(short, steps=4) if changed == "parameters" else short
    start = load_weights(tmp_path / "w.pt") if changed == "first weights" else None
    rgb, labels = pairs[0]
    pictures = [(rgb, np.where(labels == 1, 0, labels).astype(np.int32))] if changed == "pictures" else pairs
    if changed == "source":
        monkeypatch.setattr(module, "source_digest", lambda name: "another")
    with pytest.raises(ArtefactError, match=f"with other {changed}; remove it"):
        train_nuclei(TrainingPictures(pictures), tmp_path / "w.pt", params=params, start=start)
    assert (tmp_path / "w.pt").read_bytes() == written


def test_held_out_images_choose_the_weights(pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    params = replace(SMALL, steps=4, validate_every=2, held_out_fraction=0.5)
    result = train_nuclei(TrainingPictures(pairs * 2, provenance={"data": "painted"}), tmp_path / "w.pt", params=params)
    assert 0 <= result.average_precision <= 1
    training = load_weights(tmp_path / "w.pt").training
    assert training["data"] == "painted"
    assert training["best"]["step"] == result.best_step
    assert training["params"]["seed"] == params.seed


def test_each_kind_of_held_out_image_has_its_score(
    pairs: list[tuple[np.ndarray, np.ndarray]], tissue: PaintedTissue, tmp_path: Path
) -> None:
    params = replace(SMALL, steps=2, validate_every=2, held_out_fraction=0.5, collages=2, collage_px=64)
    canvas = np.tile(tissue.rgb, (2, 1, 1))
    result = train_nuclei(TrainingPictures(pairs * 2, pairs * 2, canvas), tmp_path / "w.pt", params=params)
    (row,) = result.history
    kinds = [row[kind] for kind in ("real", "synthetic", "collages")]
    assert row["average_precision"] == pytest.approx(np.mean(kinds))


def test_going_on_from_weights_starts_where_they_stood(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    train_nuclei(TrainingPictures(pairs), tmp_path / "first.pt", params=replace(SMALL, steps=4))
    first = load_weights(tmp_path / "first.pt")
    still = replace(SMALL, steps=2, learning_rate=0.0, weight_decay=0.0)
    train_nuclei(TrainingPictures(pairs), tmp_path / "second.pt", params=still, start=first)
    second = tensors(tmp_path / "second.pt")
    trained = [name for name in second if name.endswith("weight")]
    assert all(np.array_equal(first.state[name], second[name]) for name in trained)
    with pytest.raises(WeightsError, match=r"expected channels \(2, 8,.* found \(2, 4,"):
        train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=replace(SMALL, base_channels=8), start=first)


def test_weights_that_no_step_betters_are_kept(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_nuclei(TrainingPictures(pairs), tmp_path / "first.pt", params=replace(SMALL, steps=4))
    first = load_weights(tmp_path / "first.pt")
    scores = iter([0.5, 0.4, 0.3, 0.4, 0.45, 0.3])
    monkeypatch.setattr(
        "pipeline.nuclei.learning.best_weights.validate", lambda *_: {"average_precision": next(scores)}
    )
    result = train_nuclei(TrainingPictures(pairs * 2), tmp_path / "second.pt", params=HALF_HELD_OUT, start=first)
    assert (result.best_step, result.average_precision) == (0, 0.5)
    assert [row["step"] for row in result.history] == [0, 4, 8, 8, 8, 8]
    second = tensors(tmp_path / "second.pt")
    assert all(np.array_equal(first.state[name], second[name]) for name in second)


def test_a_mean_with_the_first_weights_is_kept_where_it_is_better(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_nuclei(TrainingPictures(pairs), tmp_path / "first.pt", params=replace(SMALL, steps=4))
    first = load_weights(tmp_path / "first.pt")
    scores = iter([0.5, 0.6, 0.7, 0.75, 0.8, 0.75])
    monkeypatch.setattr(
        "pipeline.nuclei.learning.best_weights.validate", lambda *_: {"average_precision": next(scores)}
    )
    result = train_nuclei(TrainingPictures(pairs * 2), tmp_path / "second.pt", params=HALF_HELD_OUT, start=first)
    assert result.average_precision == 0.8
    state = torch.load(tmp_path / "second.pt.checkpoint", weights_only=True)["mean"]
    last = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    kept = load_weights(tmp_path / "second.pt")
    assert kept.training["best"] == {"step": 8, "share": 0.5, "average_precision": 0.8}
    assert kept.training["history"][-1] == kept.training["best"]
    name = "output.2.weight"
    assert np.allclose(kept.state[name], (first.state[name] + last[name].numpy()) / 2)


def test_training_in_16_bits_learns_too(pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    for name, bfloat16 in (("half", True), ("full", False)):
        train_nuclei(
            TrainingPictures(pairs), tmp_path / f"{name}.pt", params=replace(SMALL, steps=4, bfloat16=bfloat16)
        )
    half, full = tensors(tmp_path / "half.pt"), tensors(tmp_path / "full.pt")
    assert half["output.2.weight"].dtype == np.float32
    assert not np.array_equal(half["output.2.weight"], full["output.2.weight"])
    assert np.allclose(half["output.2.weight"], full["output.2.weight"], atol=0.02)


@pytest.mark.slow
def test_the_weights_are_the_same_whatever_the_number_of_processes(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    for workers in (0, 1, 2):
        machine = TrainingMachine(workers=workers)
        train_nuclei(TrainingPictures(pairs), tmp_path / f"{workers}.pt", params=SMALL, machine=machine)
    files = [(tmp_path / f"{workers}.pt").read_bytes() for workers in (0, 1, 2)]
    assert files[0] == files[1] == files[2]


def test_the_mean_of_the_weights_is_kept_and_without_decay_the_last(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    for name, decay in (("mean", 0.998), ("last", 0.0)):
        params = replace(SMALL, average_decay=decay)
        train_nuclei(TrainingPictures(pairs), tmp_path / f"{name}.pt", params=params)
    last = torch.load(tmp_path / "last.pt.checkpoint", weights_only=True)["network"]
    name = "output.2.weight"
    assert np.array_equal(tensors(tmp_path / "last.pt")[name], last[name].numpy())
    trained = torch.load(tmp_path / "mean.pt.checkpoint", weights_only=True)["network"]
    assert torch.equal(trained[name], last[name])
    assert not np.array_equal(tensors(tmp_path / "mean.pt")[name], last[name].numpy())


class SlowClock:
    """Every look at it a minute later."""

    def __init__(self, minutes_before: float = 0.0) -> None:
        self._minutes = minutes_before

    @property
    def minutes(self) -> float:
        self._minutes += 1
        return self._minutes


def test_a_training_ends_when_its_time_is_over(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two looks at the clock a step: at minutes 1, 3 and 5 it goes on, at 7 it ends; what is left is looked at once."""
    monkeypatch.setattr(module, "Clock", SlowClock)
    params = replace(SMALL, max_minutes=6.0)
    result = train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=params)
    assert [row["step"] for row in result.history] == [3]
    again = train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=params)
    assert [row["step"] for row in again.history] == [3]


def test_the_pace_is_told_in_crops(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=replace(SMALL, steps=6))
    assert re.search(r"4 of 6 steps, the last 4 at \d+\.\d crops/s", caplog.text)
    assert re.search(r"6 of 6 steps, the last 2 at \d+\.\d crops/s", caplog.text)


def test_a_loss_that_is_no_number_ends_the_training_and_leaves_what_was_good(
    pairs: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"n": 0}

    def breaking(*arguments: torch.Tensor) -> torch.Tensor:
        calls["n"] += 1
        return flow_loss(*arguments) * (1 if calls["n"] < 6 else float("nan"))

    monkeypatch.setattr(module, "flow_loss", breaking)
    with pytest.raises(DivergenceError, match="after 8 steps the loss is nan, expected a finite number; lower"):
        train_nuclei(TrainingPictures(pairs), tmp_path / "w.pt", params=SMALL)
    assert all(np.isfinite(values).all() for values in tensors(tmp_path / "w.pt").values())
    assert torch.load(tmp_path / "w.pt.checkpoint", weights_only=True)["step"] == 4


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="found 0 of which 0 are held out"):
        train_nuclei(TrainingPictures([]), tmp_path / "w.pt", params=SMALL)
