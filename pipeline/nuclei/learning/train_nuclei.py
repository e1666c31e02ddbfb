"""Training of the compact nucleus network on outlined images, from random or earlier weights.

The targets and the loss are Cellpose's (Stringer et al. 2021): flows towards the middle of
each nucleus and the logit of being inside one.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch.nn import Module

from pipeline.devices import choose_device
from pipeline.errors import DivergenceError, WeightsError
from pipeline.logs import get_logger, progress
from pipeline.nuclei.learning.augmentation import NETWORK_INPUT
from pipeline.nuclei.learning.best_weights import BestWeights
from pipeline.nuclei.learning.cellpose_cpnet import build_network, load_network
from pipeline.nuclei.learning.learner import Learner
from pipeline.nuclei.learning.training_batches import Batch, batches_ahead
from pipeline.nuclei.learning.training_machine import TrainingMachine
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import TrainingPictures, training_images
from pipeline.nuclei.learning.training_schedule import Clock, learning_rate_factor, share_of_time
from pipeline.nuclei.learning.training_state import TrainingState
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR
from pipeline.nuclei.network.weights import Weights
from pipeline.provenance import source_digest

logger = get_logger("nuclei")

BLENDS = (0.25, 0.5, 0.75)
"""Shares of the last weights in means of them and those the training started from (Wortsman et al. 2022)."""


@dataclass(frozen=True)
class TrainingResult:
    """How a training went.

    Attributes
    ----------
    best_step
        Step whose weights were kept: the best average precision on held-out images; 0 are
        those it started from.
    average_precision
        Of these weights at IoU 0.5, mean of the kinds of held-out images; nan when none are held out.
    history
        One row per validation: step, loss, average_precision, and one value per kind; a mean
        with the first weights has its ``share`` in place of a loss.
    """

    best_step: int
    average_precision: float
    history: tuple[Mapping[str, float], ...]


def train_nuclei(
    pictures: TrainingPictures,
    out_path: str | Path,
    *,
    start: Weights | None = None,
    params: NucleiTrainingParams | None = None,
    machine: TrainingMachine | None = None,
) -> TrainingResult:
    """Train a compact CPnet and write the best weights; a training that was cut off goes on where it stood.

    Parameters
    ----------
    out_path
        Where the weights go; the state for resuming stands beside them as ``<name>.checkpoint``.
    start
        Weights to go on from; None starts from random ones.  They are kept if nothing is
        better on the held-out images, and their means with the last weights are tried
        (``BLENDS``), which forget less of what was learned before.
    params
        Defaults to ``NucleiTrainingParams()``.
    machine
        Defaults to ``TrainingMachine()``.

    Raises
    ------
    CohortError
        If there is no image left to train on, or a process that makes crops was ended from outside.
    DivergenceError
        If the loss is no longer finite; the weights and the checkpoint of the last look stay.
    ArtefactError
        If the checkpoint was left by a training with other parameters, pictures, first weights or source.
    WeightsError
        If ``start`` has another architecture.
    """
    params, machine = params or NucleiTrainingParams(), machine or TrainingMachine()
    torch.set_num_threads(machine.threads)
    place = choose_device(machine.device)
    images = training_images(pictures, params)
    torch.manual_seed(params.seed)
    learner = Learner(_initial_network(start, params).to(place), params)
    best = BestWeights(out_path, params, pictures, images.held_out, place)
    state = TrainingState(Path(f"{out_path}.checkpoint"), _made_by(pictures, start, params))
    first, minutes = state.restore(learner, best)
    if start is not None and first == 0:
        best.consider(learner.average, {"step": 0})

    clock = Clock(minutes)
    made = batches_ahead(images.pools, params, first=first, workers=machine.workers, pinned=place.type == "cuda")
    left = params.steps - first
    batches = progress(made, description="training", unit="crops", total=left, scale=params.batch_size)
    for done, losses in _stretches(learner, _until_time_is_over(batches, params, clock), params, clock):
        best.consider(learner.average, {"step": done, "loss": _mean_loss(losses, done)})
        state.save(learner, best, step=done, minutes=clock.minutes)

    if start is not None and any(images.held_out.values()):
        for share in BLENDS:
            blended = _blended(start, learner.average, share).to(place)
            best.consider(blended, {"step": best.history[-1]["step"], "share": share})
    return TrainingResult(int(best.score["step"]), best.score["average_precision"], tuple(best.history))


def _stretches(
    learner: Learner, batches: Iterable[tuple[int, Batch]], params: NucleiTrainingParams, clock: Clock
) -> Iterator[tuple[int, list[torch.Tensor]]]:
    """Train on all batches; after each stretch between two looks, and at the end, the steps done and its losses."""
    losses: list[torch.Tensor] = []
    done, since = 0, time.monotonic()
    for step, batch in batches:
        rate = params.learning_rate * learning_rate_factor(step, params, minutes=clock.minutes)
        losses.append(_take_step(learner, batch, params, rate))
        done = step + 1
        if done % params.validate_every == 0:
            _tell_pace(done, len(losses), params, time.monotonic() - since)
            yield done, losses
            losses, since = [], time.monotonic()
    if losses:
        _tell_pace(done, len(losses), params, time.monotonic() - since)
        yield done, losses


def _until_time_is_over(
    batches: Iterable[tuple[int, Batch]], params: NucleiTrainingParams, clock: Clock
) -> Iterator[tuple[int, Batch]]:
    for step_and_batch in batches:
        if share_of_time(params, clock.minutes) >= 1:
            return
        yield step_and_batch


def _mean_loss(losses: Sequence[torch.Tensor], done: int) -> float:
    loss = float(torch.stack(list(losses)).mean())
    if not math.isfinite(loss):
        raise DivergenceError(
            f"train-nuclei: after {done} steps the loss is {loss}, expected a finite number; lower learning_rate."
        )
    return loss


def _tell_pace(done: int, n_steps: int, params: NucleiTrainingParams, seconds: float) -> None:
    logger.info(
        "%d of %d steps, the last %d at %.1f crops/s",
        done,
        params.steps,
        n_steps,
        n_steps * params.batch_size / seconds,
    )


def _made_by(pictures: TrainingPictures, start: Weights | None, params: NucleiTrainingParams) -> dict[str, object]:
    return {
        "parameters": asdict(params),
        "pictures": pictures.digest(),
        "first weights": None if start is None else start.digest,
        "source": source_digest("pipeline.nuclei.learning.train_nuclei"),
    }


def flow_loss(output: torch.Tensor, flows: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Cellpose's loss: half the mean square error of 5 times the flows, plus the cross-entropy of being inside.

    Parameters
    ----------
    output
        (n, 3, h, w).
    flows
        Unit vectors (n, 2, h, w), 0 outside nuclei.
    inside
        (n, h, w), 1 in nuclei and 0 outside.
    """
    error = F.mse_loss(output[:, :2], FLOW_FACTOR * flows)
    return error / 2 + F.binary_cross_entropy_with_logits(output[:, 2], inside)


def _take_step(learner: Learner, batch: Batch, params: NucleiTrainingParams, learning_rate: float) -> torch.Tensor:
    """One step of the optimiser; returns the loss before it, on the device, which need not be waited for."""
    device = next(learner.network.parameters()).device
    inputs, flows, inside = (part.to(device, non_blocking=True) for part in batch)
    learner.network.train()
    with torch.autocast(device.type, torch.bfloat16, enabled=params.bfloat16):
        output = learner.network(inputs)[0]
    loss = flow_loss(output.float(), flows, inside)
    learner.step(loss, learning_rate)
    return loss.detach()


def _initial_network(start: Weights | None, params: NucleiTrainingParams) -> Module:
    network: Module
    if start is None:
        network = build_network(params.channels, style=False)
    elif start.channels != params.channels or start.input != NETWORK_INPUT or start.style:
        raise WeightsError(
            f"weights {start.name}: expected channels {params.channels}, input {NETWORK_INPUT} and no style to start "
            f"from, found {start.channels}, {start.input} and style {start.style}."
        )
    else:
        network = load_network(start, torch.device("cpu"))
    return network


def _blended(start: Weights, network: Module, share: float) -> Module:
    """Network whose every tensor is the mean of two, the second weighing ``share``."""
    state = {
        name: torch.lerp(torch.from_numpy(start.state[name]), tensor.cpu(), share)
        if tensor.is_floating_point()
        else tensor.cpu()
        for name, tensor in network.state_dict().items()
    }
    blended: Module = build_network(start.channels, style=False)
    blended.load_state_dict(state)
    return blended
