"""Training of the compact nucleus network on outlined images, from random weights.

The targets and the loss are Cellpose's (Stringer et al. 2021): flows towards the middle of
each nucleus and the logit of being inside one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from cellpose.resnet_torch import CPnet

from pipeline.artefacts.atomic import writing
from pipeline.errors import ArtefactError, CohortError
from pipeline.logs import get_logger
from pipeline.nuclei.augment import Labels, OutlinedImage, rescaled
from pipeline.nuclei.crops import batches_ahead, image_pool
from pipeline.nuclei.engine import FLOW_FACTOR, build_network, choose_device, forward, labels_from_output, whole_nuclei
from pipeline.nuclei.params import NucleiParams, NucleiTrainingParams
from pipeline.nuclei.scoring import Matches, match_nuclei
from pipeline.nuclei.stain import Rgb, network_input
from pipeline.nuclei.weights import NetworkInput, Weights, save_weights

INPUT: NetworkInput = "haematoxylin_luminance"
MIN_AREA_PX = 16
"""Found nuclei smaller than this count for nothing in validation."""

logger = get_logger("nuclei")


@dataclass(frozen=True)
class TrainingResult:
    """How a training went.

    Attributes
    ----------
    best_step
        Step whose weights were kept: the best average precision on held-out images.
    average_precision
        Of these weights on the held-out images at IoU 0.5; nan when none are held out.
    history
        One row per validation: step, loss, average_precision.
    """

    best_step: int
    average_precision: float
    history: tuple[Mapping[str, float], ...]


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


def train_nuclei(
    images: Sequence[tuple[Rgb, Labels]],
    out_path: str | Path,
    *,
    synthetic: Sequence[tuple[Rgb, Labels]] = (),
    params: NucleiTrainingParams | None = None,
    device: str = "cpu",
    threads: int = 1,
    licence: str = "BSD-3-Clause",
    provenance: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train a compact CPnet and write the best weights; a training that was cut off goes on where it stood.

    Parameters
    ----------
    images
        Real images uint8 (h, w, 3) and their nuclei int32 (h, w), 0 = background.
    out_path
        Where the weights go; the state for resuming stands beside them as ``<name>.checkpoint``.
    synthetic
        Painted images in the same form; may be empty.
    params
        Defaults to ``NucleiTrainingParams()``.
    device, threads
        See ``engine.choose_device``; torch's threads on the CPU.
    licence, provenance
        Stored in the weights file.

    Raises
    ------
    CohortError
        If there is no image left to train on.
    ArtefactError
        If the checkpoint was made with other parameters.
    """
    params = params or NucleiTrainingParams()
    torch.set_num_threads(threads)
    place = choose_device(device)
    kept, held_out = _split(len(images), params)
    real = image_pool([rescaled(*images[index], params.diameter_px) for index in kept])
    painted = image_pool([rescaled(*pair, params.diameter_px) for pair in synthetic])
    unseen = [rescaled(*images[index], params.diameter_px) for index in held_out]
    if not real.images and not painted.images:
        raise CohortError(
            f"train-nuclei: expected images to train on, found {len(images)} of which {len(held_out)} are held out."
        )

    torch.manual_seed(params.seed)
    network = build_network(params.channels, style=False).to(place)
    optimiser = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    checkpoint = Path(f"{out_path}.checkpoint")
    state = _resume(checkpoint, network, optimiser, params)
    best, history, losses = state["best"], state["history"], state["losses"]

    for step, batch in batches_ahead(real, painted, params, first=state["step"]):
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * learning_rate_factor(step, params)
        inputs, flows, inside = (part.to(place) for part in batch)
        network.train()
        loss = flow_loss(network(inputs)[0], flows, inside)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())

        done = step + 1
        if done % params.validate_every == 0 or done == params.steps:
            precision = validate(network, unseen, params, place)
            history.append({"step": done, "loss": float(np.mean(losses)), "average_precision": precision})
            logger.info(
                "step %d of %d: loss %.4f, held-out AP@0.5 %.3f", done, params.steps, np.mean(losses), precision
            )
            losses.clear()
            if not unseen or precision >= best["average_precision"]:
                best = {"step": done, "average_precision": precision}
                _save_best(out_path, network, params, best, history, licence, provenance or {})
            _save_checkpoint(checkpoint, network, optimiser, params, done, best, history)
    return TrainingResult(best["step"], best["average_precision"], tuple(history))


def validate(
    network: CPnet, images: Sequence[OutlinedImage], params: NucleiTrainingParams, device: torch.device
) -> float:
    """Average precision at IoU 0.5 over all nuclei of ``images``; nan without images."""
    if not images:
        return math.nan
    network.eval()
    total = Matches(0, 0, 0)
    rim = math.ceil(3 * params.diameter_px)
    for image in images:
        # White around the image, as beyond the border of a slide.
        framed = np.pad(image.rgb, ((rim, rim), (rim, rim), (0, 0)), constant_values=255)
        output = forward(network, network_input(framed, image.stain, INPUT)[None], device)[0]
        found = labels_from_output(output, NucleiParams(), diameter_px=params.diameter_px)
        total += match_nuclei(image.labels, whole_nuclei(found[rim:-rim, rim:-rim], MIN_AREA_PX), 0.5)
    return total.average_precision


def _split(n_images: int, params: NucleiTrainingParams) -> tuple[list[int], list[int]]:
    order = np.random.default_rng(params.seed).permutation(n_images)
    n_held_out = round(n_images * params.held_out_fraction)
    return sorted(order[n_held_out:].tolist()), sorted(order[:n_held_out].tolist())


def _resume(
    checkpoint: Path, network: CPnet, optimiser: torch.optim.Optimizer, params: NucleiTrainingParams
) -> dict[str, Any]:
    if not checkpoint.exists():
        return {"step": 0, "best": {"step": 0, "average_precision": -math.inf}, "history": [], "losses": []}
    stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if stored["params"] != asdict(params):
        raise ArtefactError(
            f"{checkpoint}: made with other parameters ({stored['params']}); remove it or ask for these."
        )
    network.load_state_dict(stored["network"])
    optimiser.load_state_dict(stored["optimiser"])
    logger.info("going on after step %d of %d", stored["step"], params.steps)
    return {"step": stored["step"], "best": stored["best"], "history": stored["history"], "losses": []}


def _save_checkpoint(
    path: Path,
    network: CPnet,
    optimiser: torch.optim.Optimizer,
    params: NucleiTrainingParams,
    step: int,
    best: Mapping[str, float],
    history: Sequence[Mapping[str, float]],
) -> None:
    content = {
        "params": asdict(params),
        "step": step,
        "best": dict(best),
        "history": [dict(row) for row in history],
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    # Into a stream, because torch refuses some names and stores the name of others.
    with writing(path) as temporary, temporary.open("wb") as stream:
        torch.save(content, stream)


def _save_best(
    path: str | Path,
    network: CPnet,
    params: NucleiTrainingParams,
    best: Mapping[str, float],
    history: Sequence[Mapping[str, float]],
    licence: str,
    provenance: Mapping[str, Any],
) -> None:
    training = {"params": asdict(params), "best": dict(best), "history": [dict(row) for row in history], **provenance}
    weights = Weights(
        name=Path(path).stem,
        digest="",
        state=network.state_dict(),
        channels=params.channels,
        input=INPUT,
        diameter_px=params.diameter_px,
        style=False,
        licence=licence,
        training=training,
    )
    save_weights(path, weights)
