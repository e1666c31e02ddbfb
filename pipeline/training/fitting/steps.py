"""Steps of the two levels: their order, their losses and gradients, their optimisers."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.fitting.drawn_patches import drawn_patches
from pipeline.training.fitting.hypergradients import neumann_gradient, unrolled_gradient
from pipeline.training.fitting.optimisers import AdamW
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.batching import Group, endless, joined, planned_groups, shuffled
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage
from pipeline.training.graphs.resident_images import tabled
from pipeline.training.methods.presets import MethodSpec
from pipeline.training.params import DEFAULT_FITTING, FittingParams

Level = Literal["lower", "upper"]


@dataclass(frozen=True)
class TrainingImages:
    """Images by role; ``structure`` may be empty for one-level methods, ``select`` for all."""

    train: Sequence[NodeImage]
    structure: Sequence[NodeImage]
    select: Sequence[NodeImage]

    @cached_property
    def fitting(self) -> Sequence[NodeImage]:
        """The images that fit weights, ``train``, then ``structure``; a table where they lie on a device."""
        return tabled([*self.train, *self.structure])

    @cached_property
    def judging(self) -> Sequence[NodeImage]:
        """The images that judge a training, ``select`` or what stands for it; a table where they lie on a device."""
        return tabled(self.select or self.structure or self.train)

    @property
    def all(self) -> list[NodeImage]:
        """Every image, role by role."""
        return [*self.train, *self.structure, *self.select]

    def drawn(self, most: int, seed: int, *purpose: int | str) -> "TrainingImages":
        """The same with ``most`` patches of each larger image that fits weights (``drawn_patches``); 0 takes all."""
        if not most:
            return self
        train, structure = (
            drawn_patches(images, most, seed, *purpose, role)
            for role, images in (("train", self.train), ("structure", self.structure))
        )
        if train is self.train and structure is self.structure:
            return self
        return TrainingImages(train, structure, self.select)

    def held_out(self, out: Collection[int]) -> "TrainingImages":
        """The images at the places ``out`` of ``all`` as ``select``, and the other ones of that role as ``train``."""
        left_out, everything = set(map(int, out)), self.all
        kept = [place for place in range(len(everything)) if place not in left_out]
        first, last = len(self.train), len(self.train) + len(self.structure)
        return TrainingImages(
            train=[everything[place] for place in kept if not first <= place < last],
            structure=[everything[place] for place in kept if first <= place < last],
            select=[everything[place] for place in sorted(left_out)],
        )


@dataclass(frozen=True)
class Objective:
    """What a training minimises, and how.

    Attributes
    ----------
    spec
        Method with its levels and penalty.
    class_weight
        Weight of each class in the loss, float32 (n_classes,).
    fitting
        Upper gradient and precision.
    """

    spec: MethodSpec
    class_weight: Tensor
    fitting: FittingParams = DEFAULT_FITTING


Step = tuple[Level, ImageBatch, Callable[[], ImageBatch]]
"""Level, batch, and what gives the lower batch with which the classifier answers an upper step."""

PlannedStep = tuple[Level, Group, Group]
"""Level, images of the step, and those of the lower batch that answers it, as places in ``TrainingImages.fitting``."""


def planned_steps(
    model: ImageClassifier, images: TrainingImages, spec: MethodSpec, order: torch.Generator
) -> list[PlannedStep]:
    """Steps of one epoch, all known before its first one is taken, so that a device is told their images at once.

    A pass goes over the ``train`` images once.  Alternating by ``step`` puts an upper
    batch after each lower one, going round the ``structure`` images as often as needed;
    by ``pass`` one pass over ``structure`` follows.
    """
    n_train, n_structure = len(images.train), len(images.structure)
    plan = model.plan(spec.settings.batch_size)

    def lower(n_images: int) -> list[Group]:
        return [*planned_groups(images.fitting, plan, shuffled(n_images, order))]

    def upper(places: Sequence[int]) -> Iterator[Group]:
        return planned_groups(images.fitting, plan, [n_train + place for place in places])

    if spec.levels == "one":
        return [("lower", group, group) for group in lower(n_train + n_structure)]
    answers = lower(n_train)
    alone: list[PlannedStep] = [("lower", answer, answer) for answer in answers]
    if spec.alternation == "pass":
        one_pass = upper(shuffled(n_structure, order))
        return alone + [("upper", group, answer) for group, answer in zip(one_pass, cycle(answers), strict=False)]
    rounds = zip(alone, endless(upper, n_structure, order), strict=False)
    return [step for own, group in rounds for step in (own, ("upper", group, own[1]))]


def joined_steps(images: TrainingImages, steps: Sequence[PlannedStep]) -> Iterator[Step]:
    """The steps as planned, with their images."""
    batches = joined(images.fitting, [group for _, group, _ in steps])
    last: tuple[Group, ImageBatch] | None = None
    for (level, group, answer), batch in zip(steps, batches, strict=True):
        last = (group, batch) if level == "lower" else last
        yield level, batch, partial(_answer, images.fitting, answer, last)


def _answer(images: Sequence[NodeImage], group: Group, last: tuple[Group, ImageBatch] | None) -> ImageBatch:
    """The batch of ``group``: the ``last`` lower one, which is there, or an earlier one, put together again."""
    if last is not None and last[0] is group:
        return last[1]
    (batch,) = joined(images, [group])
    return batch


def level_loss(model: ImageClassifier, batch: ImageBatch, level: Level, objective: Objective) -> tuple[Tensor, Tensor]:
    """Loss and logits of one step; in a lower step of two levels the generator has no gradient.

    In an upper step the classifier is held, so it drops no units; the gradient of its
    weights is not asked for (``descend``).
    """
    spec = objective.spec
    bilevel = spec.levels == "bilevel"
    hold_classifier = bilevel and level == "upper"
    _set_modes(model, hold_classifier=hold_classifier)
    with torch.set_grad_enabled(not (bilevel and level == "lower")):
        adjacency = model.adjacency(batch)
    return _loss(model, batch, adjacency, objective.class_weight, spec.edge_penalty if hold_classifier else 0.0)


def _set_modes(model: ImageClassifier, *, hold_classifier: bool) -> None:
    """Training mode, but evaluation mode of a classifier that is held; changes only what differs, for speed."""
    if not model.generator.training:
        model.generator.train()
    if model.classifier.training == hold_classifier:
        model.classifier.train(not hold_classifier)


def _loss(
    model: ImageClassifier, batch: ImageBatch, adjacency: Adjacency, class_weight: Tensor, edge_penalty: float
) -> tuple[Tensor, Tensor]:
    logits = model.logits(batch, adjacency) + batch.offset
    loss = cross_entropy(logits, batch.labels, weight=class_weight) + model.auxiliary_loss()
    if edge_penalty:
        loss = loss + edge_penalty * adjacency.mean_weight()
    return loss, logits


def hypergradient_loss(
    model: ImageClassifier, upper_batch: ImageBatch, lower_batch: ImageBatch, objective: Objective
) -> tuple[Tensor, Tensor]:
    """Loss and logits (B, n_classes) of an upper step; its gradient through the classifier is left in the generator.

    As in a first-order upper step the generator is noisy and the classifier is not.
    """
    spec, fitting, class_weight = objective.spec, objective.fitting, objective.class_weight
    _set_modes(model, hold_classifier=True)
    upper_weights, lower_weights = list(model.generator.parameters()), list(model.classifier.parameters())
    seen: list[tuple[Tensor, Tensor]] = []

    def upper_loss() -> Tensor:
        seen.append(_loss(model, upper_batch, model.adjacency(upper_batch), class_weight, spec.edge_penalty))
        return seen[-1][0]

    def lower_loss() -> Tensor:
        return _loss(model, lower_batch, model.adjacency(lower_batch), class_weight, 0.0)[0]

    step, terms = fitting.inner_step, fitting.neumann_terms
    if fitting.upper_gradient == "unrolled":
        gradients = unrolled_gradient(upper_loss, lower_loss, upper_weights, lower_weights, step=step)
    else:
        gradients = neumann_gradient(upper_loss, lower_loss, upper_weights, lower_weights, step=step, terms=terms)
    for weight, gradient in zip(upper_weights, gradients, strict=True):
        weight.grad = gradient
    return seen[-1]


def mixed_precision(device: torch.device, fitting: FittingParams) -> AbstractContextManager[None]:
    """Autocast to bfloat16 where it is asked for; on the CPU ``check_precision`` has refused it."""
    if fitting.precision != "bfloat16":
        return nullcontext()
    wanted: AbstractContextManager[None] = torch.autocast(device.type, torch.bfloat16)
    return wanted


def make_optimisers(
    model: ImageClassifier, spec: MethodSpec, *, capturable: bool = False
) -> dict[Level, torch.optim.Optimizer]:
    """Optimiser of each level; AdamW, which without weight decay is Adam; ``capturable`` is for CUDA graphs."""
    settings = spec.settings
    adam = partial(AdamW, weight_decay=settings.weight_decay, fused=True, capturable=capturable)
    classifier = {"params": list(model.classifier.parameters()), "lr": settings.learning_rate}
    learned = [weight for weight in model.generator.parameters() if weight.requires_grad]
    if not learned:
        return {"lower": adam([classifier])}
    generator = {"params": learned, "lr": settings.generator_learning_rate, "clipped": True}
    groups: dict[Level, list[dict[str, object]]] = {"lower": [classifier, generator]}
    if spec.levels == "bilevel":
        groups = {"lower": [classifier], "upper": [generator]}
    return {level: adam(group) for level, group in groups.items()}


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, gradient_clip: float) -> None:
    """One step down ``loss`` for the weights of ``optimiser``, and gradients for no others."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=[weight for group in optimiser.param_groups for weight in group["params"]])  # type: ignore[no-untyped-call]
    take_step(optimiser, gradient_clip)


def take_step(optimiser: torch.optim.Optimizer, gradient_clip: float) -> None:
    """One step by the gradients that are there; the generator's is clipped to norm ``gradient_clip`` unless 0."""
    for group in optimiser.param_groups:
        if gradient_clip and group.get("clipped"):
            nn.utils.clip_grad_norm_(group["params"], gradient_clip)
    optimiser.step()
