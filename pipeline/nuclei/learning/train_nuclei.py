"""Training of the compact nucleus network on outlined images, from random or earlier weights.

The targets and the loss are Cellpose's (Stringer et al. 2021): flows towards the middle of
each nucleus and the logit of being inside one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from cellpose.resnet_torch import CPnet

from pipeline.artefacts.torch_file import write_torch
from pipeline.devices import choose_device
from pipeline.errors import ArtefactError, CohortError, WeightsError
from pipeline.logs import get_logger
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.learning.augmentation import Labels, OutlinedImage, rescaled
from pipeline.nuclei.learning.cellpose_cpnet import build_network, load_network, state_of
from pipeline.nuclei.learning.collage import collages
from pipeline.nuclei.learning.detection_scores import Matches, match_nuclei
from pipeline.nuclei.learning.training_batches import Batch, Pools, batches_ahead, image_pool
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.network.flow_dynamics import FLOW_FACTOR
from pipeline.nuclei.network.inference_engine import NucleusFinder
from pipeline.nuclei.network.weights import NetworkInput, Weights, save_weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import Rgb

INPUT: NetworkInput = "haematoxylin_luminance"
MIN_AREA_PX = 16
"""Nuclei smaller than this count for nothing in validation."""

MAX_HELD_OUT = 24
"""Most images of a kind that are held out: more would make validation long."""

BLENDS = (0.25, 0.5, 0.75)
"""Shares of the last weights in means of them and those the training started from (Wortsman et al. 2022)."""

CANVAS_HELD_OUT = 0.2
"""Lower share of the canvas' rows that only held-out collages lie on."""

logger = get_logger("nuclei")


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


@dataclass(frozen=True)
class TrainingPictures:
    """What a network is trained on.

    Attributes
    ----------
    images
        Real images uint8 (h, w, 3) and their nuclei int32 (h, w), 0 = background.
    synthetic
        Painted images in the same form; may be empty.
    canvas
        Real tissue at the training scale, onto which nuclei of ``images`` are laid; None makes no collages.
    licence, provenance
        Of the pictures, hence of the weights, in whose file they are stored.
    """

    images: Sequence[tuple[Rgb, Labels]]
    synthetic: Sequence[tuple[Rgb, Labels]] = ()
    canvas: Rgb | None = None
    licence: str = "BSD-3-Clause"
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingImages:
    """What a training draws its crops from, and what chooses its weights.

    Attributes
    ----------
    pools
        Seen by the optimiser.
    held_out
        By kind: never seen, at the training scale.
    """

    pools: Pools
    held_out: Mapping[str, Sequence[OutlinedImage]]


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
        See ``devices.choose_device``; torch's threads on the CPU.

    Raises
    ------
    CohortError
        If there is no image left to train on.
    ArtefactError
        If the checkpoint was made with other parameters.
    WeightsError
        If ``start`` has another architecture.
    """
    params = params or NucleiTrainingParams()
    torch.set_num_threads(threads)
    place = choose_device(device)
    drawn_from = training_images(pictures, params)
    torch.manual_seed(params.seed)
    network = _initial_network(start, params).to(place)
    optimiser = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    checkpoint = Path(f"{out_path}.checkpoint")
    first = _resume(checkpoint, network, optimiser, params)
    best = _Best(out_path, params, drawn_from.held_out, place, pictures, **first.pop("best"))
    if start is not None and first["step"] == 0:
        best.consider(network, {"step": 0})

    losses: list[float] = []
    for step, batch in batches_ahead(drawn_from.pools, params, first=first["step"]):
        for group in optimiser.param_groups:
            group["lr"] = params.learning_rate * learning_rate_factor(step, params)
        losses.append(_take_step(network, optimiser, batch, params, place))
        done = step + 1
        if done % params.validate_every == 0 or done == params.steps:
            best.consider(network, {"step": done, "loss": float(np.mean(losses))})
            _save_checkpoint(checkpoint, network, optimiser, params, done, best)
            losses.clear()

    if start is not None and any(drawn_from.held_out.values()):
        for share in BLENDS:
            best.consider(_blended(start, network, share).to(place), {"step": params.steps, "share": share})
    return TrainingResult(int(best.row["step"]), best.row["average_precision"], tuple(best.history))


def _take_step(
    network: CPnet, optimiser: torch.optim.Optimizer, batch: Batch, params: NucleiTrainingParams, device: torch.device
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


def training_images(pictures: TrainingPictures, params: NucleiTrainingParams) -> TrainingImages:
    """Rescale images, hold a share of each kind out, and make collages of either share on its own part of the canvas.

    Raises
    ------
    CohortError
        If there is no image left to train on.
    """
    real, unseen = _split([rescaled(*pair, params.diameter_px) for pair in pictures.images], params)
    painted, unseen_painted = _split([rescaled(*pair, params.diameter_px) for pair in pictures.synthetic], params)
    if not real and not painted:
        raise CohortError(
            f"train-nuclei: expected images to train on, found {len(pictures.images)} of which "
            f"{len(unseen)} are held out."
        )
    pasted: list[OutlinedImage] = []
    unseen_pasted: list[OutlinedImage] = []
    canvas = pictures.canvas
    if canvas is not None and params.collages:
        border = round(canvas.shape[0] * (1 - CANVAS_HELD_OUT))
        n_unseen = min(MAX_HELD_OUT, round(params.collages * params.held_out_fraction))
        pasted = collages(real, canvas[:border], params.collages - n_unseen, params.collage_px, params.seed)
        unseen_pasted = collages(unseen, canvas[border:], n_unseen, params.collage_px, params.seed)
    pools = Pools(image_pool(real), image_pool(painted), image_pool(pasted))
    return TrainingImages(pools, {"real": unseen, "synthetic": unseen_painted, "collages": unseen_pasted})


def validate(
    network: CPnet, held_out: Mapping[str, Sequence[OutlinedImage]], params: NucleiTrainingParams, device: torch.device
) -> dict[str, float]:
    """Average precision at IoU 0.5 over all nuclei of each kind, and ``average_precision``, their mean.

    Kinds without images are left out; without any the mean is nan.
    """
    scores = {kind: _average_precision(network, images, params, device) for kind, images in held_out.items() if images}
    return {**scores, "average_precision": float(np.mean(list(scores.values()))) if scores else math.nan}


def _average_precision(
    network: CPnet, images: Sequence[OutlinedImage], params: NucleiTrainingParams, device: torch.device
) -> float:
    """Of the nuclei that the network finds as it will be used: by ``NucleusFinder``, at the scale of the images."""
    finder = _finder(network, params, device)
    total = Matches(0, 0, 0)
    rim = math.ceil(3 * params.diameter_px)
    for image in images:
        # White around the image, as beyond the border of a slide.
        framed = np.pad(image.rgb, ((rim, rim), (rim, rim), (0, 0)), constant_values=255)
        nuclei = finder.find([framed], finder.network_mpp(), image.stain)[0]
        total += match_nuclei(image.labels, whole_nuclei(nuclei[rim:-rim, rim:-rim], MIN_AREA_PX), 0.5)
    return total.average_precision


def _finder(network: CPnet, params: NucleiTrainingParams, device: torch.device) -> NucleusFinder:
    segmentation = NucleiParams(runtime="torch", min_area_um2=0.0, threads=torch.get_num_threads())
    weights = Weights(
        name="training",
        digest="",
        state=state_of(network),
        channels=params.channels,
        input=INPUT,
        diameter_px=params.diameter_px,
        style=False,
    )
    return NucleusFinder(weights, segmentation, "cuda" if device.type == "cuda" else "cpu")


def _split(
    images: Sequence[OutlinedImage], params: NucleiTrainingParams
) -> tuple[list[OutlinedImage], list[OutlinedImage]]:
    """Images to train on and those held out."""
    order = np.random.default_rng(params.seed).permutation(len(images))
    n_held_out = min(MAX_HELD_OUT, round(len(images) * params.held_out_fraction))
    return [images[index] for index in sorted(order[n_held_out:])], [
        images[index] for index in sorted(order[:n_held_out])
    ]


def _initial_network(start: Weights | None, params: NucleiTrainingParams) -> CPnet:
    if start is None:
        return build_network(params.channels, style=False)
    if start.channels != params.channels or start.input != INPUT or start.style:
        raise WeightsError(
            f"weights {start.name}: expected channels {params.channels}, input {INPUT} and no style to start from, "
            f"found {start.channels}, {start.input} and style {start.style}."
        )
    return load_network(start, torch.device("cpu"))


def _blended(start: Weights, network: CPnet, share: float) -> CPnet:
    """Network whose every tensor is the mean of two, the second weighing ``share``."""
    state = {
        name: torch.lerp(torch.from_numpy(start.state[name]), tensor.cpu(), share)
        if tensor.is_floating_point()
        else tensor.cpu()
        for name, tensor in network.state_dict().items()
    }
    blended = build_network(start.channels, style=False)
    blended.load_state_dict(state)
    return blended


@dataclass
class _Best:
    """The best weights so far, on disk, with the scores of all that were considered.

    Attributes
    ----------
    row, history
        Scores of the best, and of each in turn.
    """

    path: str | Path
    params: NucleiTrainingParams
    held_out: Mapping[str, Sequence[OutlinedImage]]
    device: torch.device
    pictures: TrainingPictures
    row: dict[str, float]
    history: list[dict[str, float]]

    def consider(self, network: CPnet, row: Mapping[str, float]) -> None:
        """Validate a network and write its weights if none was better; without held-out images the last is written."""
        scored = {**row, **validate(network, self.held_out, self.params, self.device)}
        self.history.append(scored)
        logger.info("of %d steps: %s", self.params.steps, ", ".join(f"{key} {scored[key]:.4g}" for key in scored))
        precision = scored["average_precision"]
        if math.isnan(precision) or precision >= self.row["average_precision"]:
            self.row = scored
            self._save(network)

    def _save(self, network: CPnet) -> None:
        scores = {
            "params": asdict(self.params),
            "best": self.row,
            "history": self.history,
        }
        weights = Weights(
            name=Path(self.path).stem,
            digest="",
            state=state_of(network),
            channels=self.params.channels,
            input=INPUT,
            diameter_px=self.params.working_diameter_px,
            style=False,
            licence=self.pictures.licence,
            training={**scores, **self.pictures.provenance},
        )
        save_weights(self.path, weights)


def _resume(
    checkpoint: Path, network: CPnet, optimiser: torch.optim.Optimizer, params: NucleiTrainingParams
) -> dict[str, Any]:
    """Steps done and the fields of ``_Best``; fills network and optimiser if there is a checkpoint."""
    if not checkpoint.exists():
        return {"step": 0, "best": {"row": {"step": 0, "average_precision": -math.inf}, "history": []}}
    stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if stored["params"] != asdict(params):
        raise ArtefactError(
            f"{checkpoint}: made with other parameters ({stored['params']}); remove it or ask for these."
        )
    network.load_state_dict(stored["network"])
    optimiser.load_state_dict(stored["optimiser"])
    logger.info("going on after step %d of %d", stored["step"], params.steps)
    return {"step": stored["step"], "best": {"row": stored["best"], "history": stored["history"]}}


def _save_checkpoint(
    path: Path,
    network: CPnet,
    optimiser: torch.optim.Optimizer,
    params: NucleiTrainingParams,
    step: int,
    best: _Best,
) -> None:
    content = {
        "params": asdict(params),
        "step": step,
        "best": best.row,
        "history": best.history,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    write_torch(path, content)
