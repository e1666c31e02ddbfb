r"""Pre-training of the ``metric`` generator without labels: which patches belong to one image.

Patches that interact share something that patches of different images do not.  A metric
under which a patch has likely partners among the others of its own image, and none among
the patches of other images, therefore has the edges, whatever the class.  With
``S_own`` the mean of exp(t cos) over the other patches of the image and ``S_other`` the
mean over the patches of some other images, each patch and head has the loss

.. math:: -\log \frac{S_{own}}{S_{own} + S_{other}}

a contrast of one bag of candidates with others (MIL-NCE, Miech et al. 2020, arXiv
1912.06430).  It is log 2 when an image is a random draw from one pool of patches.

What *all* patches of an image share (stain, scanner, hospital) lowers the loss as well, and
under a metric of it a patch is like any patch of its image, not like a partner.  The null is
the same contrast with a random patch of each image in the place of the likely partners,
exp(mean of t cos) in the place of the mean of exp.  It is told and decides nothing: images
that hold some types of tissue each have it too, and their partners are found by it; what
a shortcut does to predictions is judged where the graph path is (``graph_gate``).

Assumption: what partners share differs between images; else the edges must be learned with
labels.  Images without pairs leave the loss at log 2, and the generator as it was drawn.

Of a large image only some patches, drawn anew in each step, are compared with all the others,
so that no tensor grows with the square of its size.

A step has one shape for images of one padded size and waits for nothing: which patches count
is a mask, not an index, and they are picked by products with 0 and 1, which are exact in single
precision.  The gradient of an index sorts on a card where results must be the same bits.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.logs import get_logger
from pipeline.training.fitting.optimisers import Adam
from pipeline.training.graphs.batching import endless, nodes_fit, padded_batches, pairs_fit
from pipeline.training.graphs.generator import GraphGenerator
from pipeline.training.graphs.image_batches import NodeImage, PaddedBatch
from pipeline.training.graphs.metric_generator import MASKED, Metric
from pipeline.training.params import Settings

FOREIGN_IMAGES = 3
"""Other images a patch is compared with in a step."""

PATCHES_COMPARED = 512
"""Guard on time and memory: patches of an image up to which every two are compared, and
the square root of the number of pairs compared in a larger one."""

HELD_OUT_SEED = 0
"""Seed of the patches of large held-out images that are compared, the same at every look."""

CHECK_EVERY_STEPS = 25
"""Steps between two looks at the held-out images."""

LEAST_CONTRAST = 0.02
"""Fall of the held-out loss below log 2, in nats, from which the metric is kept."""

Rows = Tensor | None
"""Patches of each image that are compared with all its others, int64 (B, R); None for all."""

PretrainingLoss = Callable[[Metric, PaddedBatch, Rows], "PatchLosses"]
"""Losses of some patches of a batch."""

log = get_logger("training")


def pretrain(
    generator: GraphGenerator,
    train: Sequence[NodeImage],
    held_out: Sequence[NodeImage],
    settings: Settings,
    *,
    order_seed: int,
) -> float:
    """Pre-train a ``Metric`` in place for ``settings.pretraining_steps``; labels are not read.

    The iterate with the least loss on ``held_out`` is kept and settled (``Metric.settle``)
    if that loss is below log 2 by LEAST_CONTRAST; else the generator is left as it came.

    Parameters
    ----------
    train
        Images that fit the metric.
    held_out
        Images that choose the iterate and judge it: the ``structure`` role.  Neither may
        hold ``select`` or ``test`` images.
    order_seed
        Seed of the order of images, and of the patches compared in large ones.

    Returns
    -------
    Contrast: log 2 less the least loss on ``held_out``, in nats; NaN where nothing was
    trained: no steps asked for, another generator, or too few images to compare.
    """
    if not isinstance(generator, Metric) or not settings.pretraining_steps:
        return math.nan
    if not all(any(True for _ in _comparable(images, settings.batch_size)) for images in (train, held_out)):
        log.info("pre-training: left out, it needs two images of several patches in train and in structure")
        return math.nan
    start = copy.deepcopy(generator.state_dict())
    least, state = _least_held_out_loss(generator, train, held_out, settings, order_seed)
    generator.load_state_dict(state)
    contrast = math.log(2) - least
    signature = math.log(2) - held_out_loss(generator, held_out, settings, signature_losses)
    keeps = contrast >= LEAST_CONTRAST
    generator.load_state_dict(state if keeps else start)
    generator.remember(contrast, signature)
    if keeps:
        generator.settle()
    log.info(
        "pre-training: held-out contrast %.4f nats, %s; random patches of an image have %.4f (types of tissue, stain)",
        contrast,
        "kept" if keeps else "not kept",
        signature,
    )
    return contrast


def _least_held_out_loss(
    generator: Metric, train: Sequence[NodeImage], held_out: Sequence[NodeImage], settings: Settings, order_seed: int
) -> tuple[float, dict[str, Tensor]]:
    """Train, and return the least loss on ``held_out`` with the weights that had it."""
    least, state = math.inf, generator.state_dict()
    optimiser = Adam(generator.parameters(), lr=settings.pretraining_rate)
    order, draws = (torch.Generator().manual_seed(order_seed) for _ in range(2))
    rounds = endless(partial(_comparable, train, settings.batch_size), len(train), order)
    generator.train()
    for step in range(1, settings.pretraining_steps + 1):
        optimiser.zero_grad(set_to_none=True)
        batch = next(rounds)
        rows = drawn_rows(batch, settings.dense_limit, draws)
        contrastive_losses(generator, batch, rows).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % CHECK_EVERY_STEPS == 0 or step == settings.pretraining_steps:
            loss = held_out_loss(generator, held_out, settings)
            if loss < least:
                least, state = loss, copy.deepcopy(generator.state_dict())
    return least, state


@dataclass(frozen=True)
class PatchLosses:
    """Losses of patches, mean over heads.

    Attributes
    ----------
    each
        float32 (B, R).
    counts
        Which patches are real and have another one in their image, bool (B, R).
    """

    each: Tensor
    counts: Tensor

    def mean(self) -> Tensor:
        """Over those that count, without waiting for how many do."""
        return torch.where(self.counts, self.each, 0).sum() / self.counts.sum()

    def told(self) -> float:
        """The same as a number, which the caller waits for anyway."""
        return float(self.each.detach()[self.counts].mean())


def contrastive_losses(generator: Metric, batch: PaddedBatch, rows: Rows) -> PatchLosses:
    """Losses of patches against those of other images.

    Each image is compared with the ones after it in the batch, FOREIGN_IMAGES at most;
    there must be two.

    Parameters
    ----------
    rows
        Patches whose loss is taken; padded ones do not count.
    """
    own, other = _likenesses(generator, batch, rows)
    return _losses(own.likely - other.likely, own)


def signature_losses(generator: Metric, batch: PaddedBatch, rows: Rows) -> PatchLosses:
    """The null: a random patch of each image in the place of likely partners; low where all its patches are alike."""
    own, other = _likenesses(generator, batch, rows)
    return _losses(own.mean - other.mean, own)


@dataclass(frozen=True)
class _Likeness:
    """How like some patches are to many others, by head.

    Attributes
    ----------
    scaled
        t cos, (B, H, R, M).
    others
        Which of the others count, bool; broadcasts against ``scaled``.
    """

    scaled: Tensor
    others: Tensor

    @property
    def likely(self) -> Tensor:
        """Log of the mean of exp, in which the likely partners count, (B, H, R)."""
        return log_mean_exp(self.scaled, self.others)

    @property
    def mean(self) -> Tensor:
        """Mean, (B, H, R)."""
        return (self.scaled * self.others).sum(dim=-1) / self.others.sum(dim=-1).clamp_min(1)


def _likenesses(generator: Metric, batch: PaddedBatch, rows: Rows) -> tuple[_Likeness, _Likeness]:
    """Of the patches in ``rows`` to the others of their own image, and to those of other images."""
    directions, factors = generator.directions(batch.x), generator.factors()
    shifts = range(1, min(FOREIGN_IMAGES, len(batch.x) - 1) + 1)
    foreign = torch.cat([directions.roll(shift, 0) for shift in shifts], dim=2)
    foreign_mask = torch.cat([batch.mask.roll(shift, 0) for shift in shifts], dim=1)
    chosen = factors * picked(directions, rows)
    own = _Likeness(chosen @ directions.transpose(2, 3), pairs_of(rows, batch).unsqueeze(1))
    return own, _Likeness(chosen @ foreign.transpose(2, 3), foreign_mask[:, None, None])


def _losses(excess: Tensor, own: _Likeness) -> PatchLosses:
    """-log sigmoid, mean over heads; a patch counts that has another one in its image."""
    return PatchLosses(softplus(-excess).mean(dim=1), own.others.any(dim=-1).squeeze(1))


def picked(directions: Tensor, rows: Rows) -> Tensor:
    """The ``rows`` of directions (B, H, N, p), (B, H, R, p)."""
    if rows is None:
        return directions
    return _named(rows, directions.shape[2]).to(directions.dtype).unsqueeze(1) @ directions


def pairs_of(rows: Rows, batch: PaddedBatch) -> Tensor:
    """Mask (B, R, N), True where the patch in a row, and another one, are real."""
    if rows is None:
        return batch.all_pairs.mask.squeeze(1)
    real = batch.mask.take_along_dim(rows, dim=1).unsqueeze(2) & batch.mask.unsqueeze(1)
    return real & ~_named(rows, batch.mask.shape[1])


def _named(rows: Tensor, n_patches: int) -> Tensor:
    """Which of N patches each row is, bool (B, R, N)."""
    return rows.unsqueeze(2) == torch.arange(n_patches, device=rows.device)


def drawn_rows(batch: PaddedBatch, dense_limit: int, draws: torch.Generator) -> Rows:
    """All patches of each image; of large ones so few, (B, R), that R N is within the guard."""
    n_images, n_patches = batch.mask.shape
    most = min(PATCHES_COMPARED, dense_limit or PATCHES_COMPARED)
    if n_patches <= most:
        return None
    turn = torch.rand(n_images, n_patches, generator=draws).to(batch.x.device).masked_fill(~batch.mask, 1)
    return turn.topk(max(1, most**2 // n_patches), largest=False).indices


def log_mean_exp(logits: Tensor, mask: Tensor) -> Tensor:
    """Log (...) of the mean of exp over the entries of ``logits`` (..., k) for which ``mask`` (..., k) is True."""
    return logits.masked_fill(~mask, MASKED).logsumexp(dim=-1) - mask.sum(dim=-1).clamp_min(1).log()


@torch.no_grad()
def held_out_loss(
    generator: Metric, images: Sequence[NodeImage], settings: Settings, losses: PretrainingLoss = contrastive_losses
) -> float:
    """Mean over batches of ``images`` of their mean losses, of large images always over the same patches."""
    same = torch.Generator().manual_seed(HELD_OUT_SEED)
    told = [
        losses(generator, batch, drawn_rows(batch, settings.dense_limit, same)).told()
        for batch in _comparable(images, settings.batch_size)
    ]
    return sum(told) / len(told)


def _comparable(images: Sequence[NodeImage], size: int, order: Sequence[int] | None = None) -> Iterator[PaddedBatch]:
    """Batches of at least two images, one of which has two patches."""
    for batch in padded_batches(images, max(size, 2), order, fits=_fits):
        if len(batch.images) > 1 and max(batch.sizes) > 1:
            yield batch


def _fits(sizes: Sequence[int]) -> bool:
    """Two images always; more, if their compared pairs and all their patches, padded, are within the guards."""
    n_images, largest = len(sizes), max(sizes)
    compared, padded = [min(largest, PATCHES_COMPARED)] * n_images, [largest] * n_images
    return n_images <= 2 or (pairs_fit(compared) and nodes_fit(padded))
