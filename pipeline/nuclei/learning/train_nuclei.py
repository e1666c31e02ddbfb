"""Training of the compact nucleus network on outlined images, from random or earlier weights.

The targets and the loss are Cellpose's (Stringer et al. 2021): flows towards the middle of
each nucleus and the logit of being inside one.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch.nn import Module

from pipeline.devices import choose_device
from pipeline.errors import WeightsError
from pipeline.nuclei.learning.augmentation import NETWORK_INPUT
from pipeline.nuclei.learning.best_weights import BestWeights
from pipeline.nuclei.learning.cellpose_cpnet import build_network, load_network
from pipeline.nuclei.learning.training_batches import Batch, batches_ahead
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import TrainingPictures, training_images
from pipeline.nuclei.learning.training_state import TrainingState
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR
from pipeline.nuclei.network.weights import Weights
from pipeline.provenance import source_digest

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
    device: str = "cpu",
    threads: int = 1,
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
    device, threads
        See ``choose_device``; torch's threads on the CPU.

    Raises
    ------
    CohortError
        If there is no image left to train on.
    ArtefactError
        If the checkpoint was left by a training with other parameters, pictures, first weights or source.
    WeightsError
        If ``start`` has another architecture.
    """
    params = params or NucleiTrainingParams()
    torch.set_num_threads(threads)
    place = choose_device(device)
    images = training_images(pictures, params)
    torch.manual_seed(params.seed)
    network = _initial_network(start, params).to(place)
    optimiser = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    best = BestWeights(out_path, params, pictures, images.held_out, place)
    state = TrainingState(Path(f"{out_path}.checkpoint"), _made_by(pictures, start, params))
    first = state.restore(network, optimiser, best)
    if start is not None and first == 0:
        best.consider(network, {"step": 0})

    losses: list[float] = []
    for step, batch in batches_ahead(images.pools, params, first=first):
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * learning_rate_factor(step, params)
        losses.append(_take_step(network, optimiser, batch, params, place))
        done = step + 1
        if done % params.validate_every == 0 or done == params.steps:
            best.consider(network, {"step": done, "loss": float(np.mean(losses))})
            state.save(network, optimiser, best, step=done)
            losses.clear()

    if start is not None and any(images.held_out.values()):
        for share in BLENDS:
            best.consider(_blended(start, network, share).to(place), {"step": params.steps, "share": share})
    return TrainingResult(int(best.score["step"]), best.score["average_precision"], tuple(best.history))


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


def learning_rate_factor(step: int, params: NucleiTrainingParams) -> float:
    """Linear rise over ``warmup_steps``, then half a cosine to 0 at ``steps`` (Loshchilov & Hutter 2017)."""
    if step < params.warmup_steps:
        return (step + 1) / params.warmup_steps
    share = (step - params.warmup_steps) / max(1, params.steps - params.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * share))


def _take_step(
    network: Module, optimiser: torch.optim.Optimizer, batch: Batch, params: NucleiTrainingParams, device: torch.device
) -> float:
    """One step of the optimiser; returns the loss before it."""
    inputs, flows, inside = (part.to(device) for part in batch)
    network.train()
    with torch.autocast(device.type, torch.bfloat16, enabled=params.bfloat16):
        output = network(inputs)[0]
    loss = flow_loss(output.float(), flows, inside)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.item()


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
