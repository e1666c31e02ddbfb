"""Bilevel training, read from top to bottom.

Lower level: the classifier's weights w minimise cross-entropy on the ``train`` images.
Upper level: the generator's weights theta minimise it on the ``structure`` images, plus
lambda mean|A|.  First order, the default: an upper step holds w constant and so drops the
term through dw/dtheta (Paul et al. 2025, arXiv 2510.13188; compare Liu et al. 2019, eq. 8,
xi = 0); ``hypergradients`` holds the gradients that keep it.  One-level methods take lower
steps only, over all weights.  A ``metric`` generator is pre-trained without labels first
(``pretraining``), whatever the levels.
"""

import math
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from pipeline.errors import CohortError, DivergenceError
from pipeline.logs import get_logger
from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.fitting.captured_steps import CapturedSteps, recorder_for
from pipeline.training.fitting.epoch_records import BestIterate, EpochRecord, Tally
from pipeline.training.fitting.inference import Evaluation, Judged, judge_images, on_host
from pipeline.training.fitting.pretraining import pretrain
from pipeline.training.fitting.steps import (
    Level,
    Objective,
    TrainingImages,
    descend,
    hypergradient_loss,
    joined_steps,
    level_loss,
    make_optimisers,
    mixed_precision,
    planned_steps,
    take_step,
)
from pipeline.training.fitting.unfinished import Resumable, State, UnfinishedFit
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.graphs.resident_images import ImageTable, tabled
from pipeline.training.methods.presets import MethodSpec

LOG_EVERY_EPOCHS = 10
"""Epochs from one line of the log to the next."""

LEAST_PATIENCE_STEPS = 400
"""Steps of the classifier without a better loss on ``select`` before a training stops; few images make short epochs."""

NOT_KEPT = UnfinishedFit(None, {})
"""No state on disk."""

log = get_logger("training")


@dataclass
class _Run:
    """All that a training carries from one epoch to the next."""

    model: ImageClassifier
    optimisers: dict[Level, torch.optim.Optimizer]
    order: torch.Generator
    device: torch.device
    best: BestIterate = field(default_factory=BestIterate)
    history: list[EpochRecord] = field(default_factory=list)
    select_logits: list[Tensor] | None = None
    captured: CapturedSteps | None = None

    def __post_init__(self) -> None:
        # In the same places in every epoch, for steps that are recorded write there.
        self.sums = torch.zeros(2, 2, dtype=torch.float64, device=self.device)
        self.tallies: dict[Level, Tally] = {"lower": Tally(self.sums[0]), "upper": Tally(self.sums[1])}

    def state(self) -> State:
        """Everything by name, the random states of torch among it."""
        return {
            "model": self.model.state_dict(),
            "optimisers": {level: optimiser.state_dict() for level, optimiser in self.optimisers.items()},
            "order": self.order.get_state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "best": vars(self.best),
            "history": [asdict(record) for record in self.history],
            "select_logits": self.select_logits or [],
        }

    def go_on_from(self, state: State) -> None:
        """Take the place of the run that wrote ``state``."""
        self.model.load_state_dict(state["model"])
        for level, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][level])
        self.order.set_state(state["order"].cpu())
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)
        self.best = BestIterate(**state["best"])
        self.history = [EpochRecord(**record) for record in state["history"]]
        if self.select_logits is not None:
            self.select_logits[:] = [logits.cpu() for logits in state["select_logits"]]


def fit(
    model: ImageClassifier,
    images: TrainingImages,
    objective: Objective,
    *,
    order_seed: int,
    unfinished: Resumable = NOT_KEPT,
    select_logits: list[Tensor] | None = None,
) -> list[EpochRecord]:
    """Train ``model`` in place, a ``metric`` generator without labels first, and return its history.

    With ``select`` images and ``patience`` > 0 the weights of the epoch with the least
    loss on ``select`` are put back at the end; otherwise the last iterate stays.

    Parameters
    ----------
    objective
        Method, weights of classes, gradients and precision.
    order_seed
        Seed of the order of images, in pre-training and after.
    unfinished
        State to go on from, and where it is kept.
    select_logits
        Filled with the logits of the ``select`` images after each epoch, (n, n_classes).

    Raises
    ------
    CohortError
        If a level has no image.
    DivergenceError
        If the loss is no longer finite.
    """
    spec, settings = objective.spec, objective.spec.settings
    _check_levels(images, spec)
    run = _started(model, images, objective, order_seed, select_logits)
    _go_on_or_pretrain(run, images, objective, order_seed, unfinished)
    selects = bool(images.select) and settings.patience > 0
    patience = patience_in_epochs(images, spec)
    started = time.perf_counter()
    for epoch in range(len(run.history), settings.epochs):
        model.generator.start_epoch(epoch)
        _epoch(run, images.drawn(settings.patches_per_epoch, order_seed, epoch), objective)
        row = _judged(run, images, epoch)
        if selects:
            run.best.offer(row.select_loss, epoch, model)
        if epoch % LOG_EVERY_EPOCHS == 0:
            log.info("%s: %s, %.1f s", spec.name, _summary(row), time.perf_counter() - started)
        if selects and epoch - run.best.epoch >= patience:
            break
        unfinished.offer(run.state)
    # What was recorded knows the run, which knows it, and holds memory of a card.
    run.captured = None
    if selects:
        model.load_state_dict(run.best.state)
    kept = run.best.epoch if selects else len(run.history) - 1
    log.info("%s: kept epoch %d of %d, %.1f s", spec.name, kept, len(run.history), time.perf_counter() - started)
    return [replace(row, selected=row.epoch == kept) for row in run.history]


def patience_in_epochs(images: TrainingImages, spec: MethodSpec) -> int:
    """Epochs without better images of ``select`` before a training stops: as set, or what LEAST_PATIENCE_STEPS take."""
    n_images = len(images.train) + (len(images.structure) if spec.levels == "one" else 0)
    steps = math.ceil(n_images / spec.settings.batch_size)
    return max(spec.settings.patience, math.ceil(LEAST_PATIENCE_STEPS / steps))


def _started(
    model: ImageClassifier,
    images: TrainingImages,
    objective: Objective,
    order_seed: int,
    select_logits: list[Tensor] | None,
) -> _Run:
    """A run before its first epoch, whose steps are recorded where they can be."""
    spec, device = objective.spec, objective.class_weight.device
    recorder = recorder_for(spec, objective.fitting, images.fitting, device)
    optimisers = make_optimisers(model, spec, capturable=recorder is not None)
    order = torch.Generator().manual_seed(order_seed)
    run = _Run(model, optimisers, order, device, select_logits=select_logits)
    if recorder is not None and isinstance(images.fitting, ImageTable):
        run.captured = CapturedSteps(images.fitting, partial(_take, run, objective), recorder)
    return run


def _go_on_or_pretrain(
    run: _Run, images: TrainingImages, objective: Objective, order_seed: int, unfinished: Resumable
) -> None:
    """Go on where an unfinished training stood; else pre-train the generator."""
    spec, settings = objective.spec, objective.spec.settings
    state = unfinished.read(run.device)
    if state is not None:
        run.go_on_from(state)
        log.info("%s: goes on after %d epochs", spec.name, len(run.history))
        return
    some = images.drawn(settings.patches_per_epoch, order_seed, "pre-training")
    pretrain(run.model.generator, tabled(some.train), tabled(some.structure), settings, order_seed=order_seed)
    unfinished.offer(run.state)


def _epoch(run: _Run, images: TrainingImages, objective: Objective) -> None:
    """Take the steps of one epoch, and count them."""
    spec, fitting = objective.spec, objective.fitting
    steps = planned_steps(run.model, images, spec, run.order)
    run.sums.zero_()
    for level, tally in run.tallies.items():
        tally.images = sum(len(group.places) for of, group, _ in steps if of == level)
    if run.captured is not None:
        run.captured(steps)
        return
    through = spec.levels == "bilevel" and fitting.upper_gradient != "first_order"
    for level, batch, answering in joined_steps(images, steps):
        if level == "upper" and through:
            loss, logits = hypergradient_loss(run.model, batch, answering(), objective)
            take_step(run.optimisers[level], spec.settings.gradient_clip)
            run.tallies[level].add(loss, logits, batch.labels)
        else:
            _take(run, objective, level, batch)


def _take(run: _Run, objective: Objective, level: Level, batch: ImageBatch) -> None:
    """One step down the loss of its level, whatever the images; nothing in it waits for a device."""
    with mixed_precision(batch.x.device, objective.fitting):
        loss, logits = level_loss(run.model, batch, level, objective)
    descend(run.optimisers[level], loss, objective.spec.settings.gradient_clip)
    run.tallies[level].add(loss, logits, batch.labels)


def _judged(run: _Run, images: TrainingImages, epoch: int) -> EpochRecord:
    """Evaluate the model after an epoch and add its row to the history, and its logits where they are asked for.

    Raises
    ------
    DivergenceError
        If the loss is no longer finite.
    """
    has_select = bool(images.select)
    means, held_out = _waited_for(run.tallies, judge_images(run.model, images.judging))
    row = _record(epoch, run.model.generator.tau, means, held_out, selects=has_select)
    run.history.append(row)
    if has_select and run.select_logits is not None:
        run.select_logits.append(held_out.logits)
    _check_finite(row, has_select=has_select)
    return row


def _waited_for(tallies: dict[Level, Tally], judged: Judged) -> tuple[dict[Level, tuple[float, float]], Evaluation]:
    """Loss and accuracy of each level, and the evaluation: all that an epoch waits for a device for, at once."""
    *sums, measures, logits = on_host([tally.sums for tally in tallies.values()] + [judged.measures, judged.logits])
    means = {level: tally.means(found) for (level, tally), found in zip(tallies.items(), sums, strict=True)}
    return means, judged.evaluation(measures, logits)


def _record(
    epoch: int, tau: float, means: dict[Level, tuple[float, float]], held_out: Evaluation, *, selects: bool
) -> EpochRecord:
    lower, upper = means["lower"], means["upper"]
    return EpochRecord(
        epoch=epoch,
        lower_loss=lower[0],
        lower_accuracy=lower[1],
        upper_loss=upper[0],
        upper_accuracy=upper[1],
        select_loss=held_out.loss if selects else math.nan,
        select_accuracy=held_out.accuracy if selects else math.nan,
        tau=tau,
        mean_degree=held_out.mean_degree,
    )


def _check_levels(images: TrainingImages, spec: MethodSpec) -> None:
    if not images.train:
        raise CohortError(f"{spec.name}: no image has the role train; add labelled images or lower the other shares.")
    if spec.levels == "bilevel" and not images.structure:
        raise CohortError(f"{spec.name}: no image has the role structure, which fits the graph; raise structure_share.")


def _check_finite(row: EpochRecord, *, has_select: bool) -> None:
    loss = row.lower_loss + row.select_loss if has_select else row.lower_loss
    if not math.isfinite(loss):
        raise DivergenceError(
            f"the loss is {loss} after epoch {row.epoch}; lower learning_rate or set outlier_clip_sd."
        )


def _summary(row: EpochRecord) -> str:
    return (
        f"epoch {row.epoch}: lower {row.lower_loss:.4f} ({row.lower_accuracy:.3f}), upper {row.upper_loss:.4f} "
        f"({row.upper_accuracy:.3f}), select {row.select_loss:.4f} ({row.select_accuracy:.3f}), "
        f"mean degree {row.mean_degree:.1f}"
    )
