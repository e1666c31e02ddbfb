"""First-order bilevel training, read from top to bottom.

Lower level: the classifier's weights w minimise cross-entropy on the ``train`` images.
Upper level: the generator's weights theta minimise it on the ``structure`` images, plus
lambda mean|A|.  First order: an upper step holds w constant and so drops the term through
dw/dtheta (Paul et al. 2025, arXiv 2510.13188; compare Liu et al. 2019, eq. 8, xi = 0).
One-level methods take lower steps only, over all weights.
"""

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pipeline.errors import CohortError
from pipeline.logs import get_logger
from pipeline.training.batches import GraphBatch, NodeImage, batches, shuffled
from pipeline.training.inference import EVALUATION_BATCH, evaluate_images
from pipeline.training.model import ImageClassifier
from pipeline.training.presets import MethodSpec

Level = Literal["lower", "upper"]
LOG_EVERY_EPOCHS = 10

LEAST_GAIN = 1e-4
"""Least fall of the loss on ``select`` that counts as better, in nats."""

log = get_logger("training")


@dataclass(frozen=True)
class TrainingImages:
    """Images by role; ``structure`` may be empty for one-level methods, ``select`` for all."""

    train: Sequence[NodeImage]
    structure: Sequence[NodeImage]
    select: Sequence[NodeImage]


@dataclass(frozen=True)
class EpochRecord:
    """One row of ``history.csv``; NaN where a level or role is absent.

    Attributes
    ----------
    epoch
        Counted from 0.
    lower_loss, lower_accuracy, upper_loss, upper_accuracy
        Means over the epoch's training steps, with dropout and noise.
    select_loss, select_accuracy
        After the epoch, in evaluation mode.
    tau
        Temperature of the relaxation.
    mean_degree
        Effective number of neighbours of a patch, (sum_j A)^2 / sum_j A^2, mean over the
        ``select`` images, or over ``structure`` or ``train`` where the former are absent.
    selected
        Whether the weights after this epoch are the ones kept.
    """

    epoch: int
    lower_loss: float = math.nan
    lower_accuracy: float = math.nan
    upper_loss: float = math.nan
    upper_accuracy: float = math.nan
    select_loss: float = math.nan
    select_accuracy: float = math.nan
    tau: float = math.nan
    mean_degree: float = math.nan
    selected: bool = False


@dataclass
class _Tally:
    """Sums of one level over an epoch."""

    loss: float = 0.0
    correct: float = 0.0
    images: int = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.loss += float(loss.detach()) * len(labels)
        self.correct += float((logits.detach().argmax(dim=-1) == labels).sum())
        self.images += len(labels)

    @property
    def means(self) -> tuple[float, float]:
        return (self.loss / self.images, self.correct / self.images) if self.images else (math.nan, math.nan)


@dataclass
class _Best:
    """The best iterate so far by loss on the ``select`` images."""

    loss: float = math.inf
    epoch: int = -1
    state: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, loss: float, epoch: int, model: nn.Module) -> None:
        if loss < self.loss - LEAST_GAIN:
            self.loss, self.epoch, self.state = loss, epoch, copy.deepcopy(model.state_dict())


def fit(
    model: ImageClassifier, images: TrainingImages, spec: MethodSpec, class_weight: Tensor, *, order_seed: int
) -> list[EpochRecord]:
    """Train ``model`` in place and return its history.

    With ``select`` images and ``patience`` > 0 the weights of the epoch with the least
    loss on ``select`` are put back at the end; otherwise the last iterate stays.

    Parameters
    ----------
    class_weight
        Weight of each class in the loss, float32 (n_classes,).
    order_seed
        Seed of the order of images.

    Raises
    ------
    CohortError
        If a level has no image, or the loss is no longer finite.
    """
    settings = spec.settings
    _check_levels(images, spec)
    optimisers = make_optimisers(model, spec)
    order = torch.Generator().manual_seed(order_seed)
    selects = bool(images.select) and settings.patience > 0
    best = _Best()
    history: list[EpochRecord] = []
    started = time.perf_counter()
    for epoch in range(settings.epochs):
        if model.generator is not None:
            model.generator.start_epoch(epoch)
        tallies: dict[Level, _Tally] = {"lower": _Tally(), "upper": _Tally()}
        for level, batch in schedule(images, spec, order):
            loss, logits = level_loss(model, batch, level, spec, class_weight)
            take_step(optimisers[level], loss, settings.gradient_clip)
            tallies[level].add(loss, logits, batch.labels)
        history.append(_record(epoch, model, images, tallies))
        _check_finite(history[-1], has_select=bool(images.select))
        if selects:
            best.offer(history[-1].select_loss, epoch, model)
        if epoch % LOG_EVERY_EPOCHS == 0:
            log.info("%s: %s, %.1f s", spec.name, _summary(history[-1]), time.perf_counter() - started)
        if selects and epoch - best.epoch >= settings.patience:
            break
    if selects:
        model.load_state_dict(best.state)
    kept = best.epoch if selects else len(history) - 1
    log.info("%s: kept epoch %d of %d, %.1f s", spec.name, kept, len(history), time.perf_counter() - started)
    return [replace(row, selected=row.epoch == kept) for row in history]


def schedule(images: TrainingImages, spec: MethodSpec, order: torch.Generator) -> Iterator[tuple[Level, GraphBatch]]:
    """Steps of one epoch: (level, batch).

    A pass goes over the ``train`` images once.  Alternating by ``step`` puts an upper
    batch after each lower one, going round the ``structure`` images as often as needed;
    by ``pass`` one pass over ``structure`` follows.
    """
    size = spec.settings.batch_size
    if spec.levels == "one":
        both = [*images.train, *images.structure]
        yield from (("lower", batch) for _, batch in batches(both, size, shuffled(len(both), order)))
        return
    lower = batches(images.train, size, shuffled(len(images.train), order))
    if spec.alternation == "pass":
        yield from (("lower", batch) for _, batch in lower)
        upper = batches(images.structure, size, shuffled(len(images.structure), order))
        yield from (("upper", batch) for _, batch in upper)
        return
    endless = _round_and_round(images.structure, size, order)
    for _, batch in lower:
        yield "lower", batch
        yield "upper", next(endless)


def _round_and_round(images: Sequence[NodeImage], size: int, order: torch.Generator) -> Iterator[GraphBatch]:
    while True:
        for _, batch in batches(images, size, shuffled(len(images), order)):
            yield batch


def level_loss(
    model: ImageClassifier, batch: GraphBatch, level: Level, spec: MethodSpec, class_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss and logits of one step, with gradients only to the weights of its level."""
    bilevel = spec.levels == "bilevel"
    hold_classifier = bilevel and level == "upper"
    model.train()
    model.classifier.train(not hold_classifier)
    model.classifier.requires_grad_(not hold_classifier)
    with torch.set_grad_enabled(not (bilevel and level == "lower")):
        weights = model.weights(batch)
    logits: Tensor = model.classifier(batch, weights)
    loss = cross_entropy(logits, batch.labels, weight=class_weight)
    if weights is not None and spec.edge_penalty and hold_classifier:
        loss = loss + spec.edge_penalty * weights.abs().mean()
    return loss, logits


def make_optimisers(model: ImageClassifier, spec: MethodSpec) -> dict[Level, torch.optim.Optimizer]:
    """Optimiser of each level; AdamW, which without weight decay is Adam."""
    settings = spec.settings
    classifier = {"params": list(model.classifier.parameters()), "lr": settings.learning_rate}
    learned = [] if model.generator is None else list(model.generator.parameters())
    if not learned:
        return {"lower": torch.optim.AdamW([classifier], weight_decay=settings.weight_decay)}
    generator = {"params": learned, "lr": settings.generator_learning_rate, "clipped": True}
    groups: dict[Level, list[dict[str, object]]] = {"lower": [classifier, generator]}
    if spec.levels == "bilevel":
        groups = {"lower": [classifier], "upper": [generator]}
    return {level: torch.optim.AdamW(group, weight_decay=settings.weight_decay) for level, group in groups.items()}


def take_step(optimiser: torch.optim.Optimizer, loss: Tensor, gradient_clip: float) -> None:
    """One step down ``loss``; the generator's gradient is clipped to norm ``gradient_clip`` unless 0."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for group in optimiser.param_groups:
        if gradient_clip and group.get("clipped"):
            nn.utils.clip_grad_norm_(group["params"], gradient_clip)
    optimiser.step()


@torch.no_grad()
def effective_degree(model: ImageClassifier, images: Sequence[NodeImage]) -> float:
    """Mean over patches of (sum_j A_ij)^2 / sum_j A_ij^2, A without its diagonal; NaN without a graph."""
    if model.generator is None:
        return math.nan
    model.eval()
    total, patches = 0.0, 0
    for _, batch in batches(images, EVALUATION_BATCH):
        weights = model.generator(batch) * batch.pair_mask.unsqueeze(1)
        square = weights.square().sum(dim=-1)
        degree = torch.where(square > 0, weights.sum(dim=-1).square() / square.clamp_min(1e-30), square)
        total += float(degree.mean(dim=1).sum())
        patches += int(batch.mask.sum())
    return total / patches


def _record(epoch: int, model: ImageClassifier, images: TrainingImages, tallies: dict[Level, _Tally]) -> EpochRecord:
    lower, upper = tallies["lower"].means, tallies["upper"].means
    select = evaluate_images(model, images.select) if images.select else None
    return EpochRecord(
        epoch=epoch,
        lower_loss=lower[0],
        lower_accuracy=lower[1],
        upper_loss=upper[0],
        upper_accuracy=upper[1],
        select_loss=math.nan if select is None else select.loss,
        select_accuracy=math.nan if select is None else select.accuracy,
        tau=math.nan if model.generator is None else model.generator.tau,
        mean_degree=effective_degree(model, images.select or images.structure or images.train),
    )


def _check_levels(images: TrainingImages, spec: MethodSpec) -> None:
    if not images.train:
        raise CohortError(f"{spec.name}: no image has the role train; add labelled images or lower the other shares.")
    if spec.levels == "bilevel" and not images.structure:
        raise CohortError(f"{spec.name}: no image has the role structure, which fits the graph; raise structure_share.")


def _check_finite(row: EpochRecord, *, has_select: bool) -> None:
    loss = row.lower_loss + row.select_loss if has_select else row.lower_loss
    if not math.isfinite(loss):
        raise CohortError(f"the loss is {loss} after epoch {row.epoch}; lower learning_rate or set outlier_clip_sd.")


def _summary(row: EpochRecord) -> str:
    return (
        f"epoch {row.epoch}: lower {row.lower_loss:.4f} ({row.lower_accuracy:.3f}), upper {row.upper_loss:.4f} "
        f"({row.upper_accuracy:.3f}), select {row.select_loss:.4f} ({row.select_accuracy:.3f}), "
        f"mean degree {row.mean_degree:.1f}"
    )
