"""Steps of the two levels: their order, their losses and gradients, their optimisers."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.fitting.drawn_patches import drawn_patches
from pipeline.training.fitting.hypergradients import neumann_gradient, unrolled_gradient
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.batching import endless, shuffled
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage
from pipeline.training.methods.presets import MethodSpec
from pipeline.training.params import DEFAULT_FITTING, FittingParams

Level = Literal["lower", "upper"]


@dataclass(frozen=True)
class TrainingImages:
    """Images by role; ``structure`` may be empty for one-level methods, ``select`` for all."""

    train: Sequence[NodeImage]
    structure: Sequence[NodeImage]
    select: Sequence[NodeImage]

    @property
    def all(self) -> list[NodeImage]:
        """Every image, role by role."""
        return [*self.train, *self.structure, *self.select]

    def drawn(self, most: int, seed: int, *purpose: int | str) -> "TrainingImages":
        """The same with ``most`` patches of each larger image that fits weights (``drawn_patches``); 0 takes all."""
        train, structure = (
            drawn_patches(images, most, seed, *purpose, role)
            for role, images in (("train", self.train), ("structure", self.structure))
        )
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


def schedule(
    model: ImageClassifier, images: TrainingImages, spec: MethodSpec, order: torch.Generator
) -> Iterator[Step]:
    """Steps of one epoch.

    A pass goes over the ``train`` images once.  Alternating by ``step`` puts an upper
    batch after each lower one, going round the ``structure`` images as often as needed;
    by ``pass`` one pass over ``structure`` follows.
    """

    def batches(role: Sequence[NodeImage], positions: Sequence[int]) -> Iterator[ImageBatch]:
        return (batch for _, batch in model.batches(role, spec.settings.batch_size, positions))

    if spec.levels == "one":
        both = [*images.train, *images.structure]
        yield from (("lower", batch, _given(batch)) for batch in batches(both, shuffled(len(both), order)))
        return
    lower = batches(images.train, shuffled(len(images.train), order))
    if spec.alternation == "pass":
        answers = []
        for batch in lower:
            # Its images alone are kept, not their features.
            answers.append(partial(type(batch).of, batch.images))
            yield "lower", batch, _given(batch)
        upper = batches(images.structure, shuffled(len(images.structure), order))
        yield from (("upper", batch, answer) for batch, answer in zip(upper, cycle(answers), strict=False))
        return
    rounds = endless(partial(batches, images.structure), len(images.structure), order)
    for batch in lower:
        yield "lower", batch, _given(batch)
        yield "upper", next(rounds), _given(batch)


def _given(batch: ImageBatch) -> Callable[[], ImageBatch]:
    return lambda: batch


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
    """Loss and logits of an upper step, which leaves its gradient through the classifier in the generator.

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
    wanted: AbstractContextManager[None] = torch.autocast(
        device.type, torch.bfloat16, enabled=fitting.precision == "bfloat16"
    )
    return wanted


def make_optimisers(model: ImageClassifier, spec: MethodSpec) -> dict[Level, torch.optim.Optimizer]:
    """Optimiser of each level; AdamW, which without weight decay is Adam."""
    settings = spec.settings
    classifier = {"params": list(model.classifier.parameters()), "lr": settings.learning_rate}
    learned = [weight for weight in model.generator.parameters() if weight.requires_grad]
    if not learned:
        return {"lower": torch.optim.AdamW([classifier], weight_decay=settings.weight_decay, fused=True)}
    generator = {"params": learned, "lr": settings.generator_learning_rate, "clipped": True}
    groups: dict[Level, list[dict[str, object]]] = {"lower": [classifier, generator]}
    if spec.levels == "bilevel":
        groups = {"lower": [classifier], "upper": [generator]}
    decay = settings.weight_decay
    return {level: torch.optim.AdamW(group, weight_decay=decay, fused=True) for level, group in groups.items()}


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
