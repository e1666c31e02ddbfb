r"""Pre-training of the ``metric`` generator without labels: which patches belong to one image.

Patches that interact share something that patches of different images do not.  A metric
under which a patch has likely partners among the others of its own image, and none among
the patches of other images, therefore has the edges, whatever the class.  With
``S_own`` the mean of exp(t cos) over the other patches of the image and ``S_other`` the
mean over the patches of some other images, each patch and head has the loss

.. math:: -\log \frac{S_{own}}{S_{own} + S_{other}}

a contrast of one bag of candidates with others (MIL-NCE, Miech et al. 2020, arXiv
1912.06430).  It is log 2 when an image is a random draw from one pool of patches.

Assumption: what partners share differs between images.  What all patches of an image share
(stain, scanner) lowers the loss as well; the edges must then be learned with labels.
Images without pairs leave the loss at log 2, and the generator as it was drawn.

Of a large image a pass sees a random part of the patches, so that no tensor grows with the
square of its size; partners that are not drawn together are missed in that pass.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.logs import get_logger
from pipeline.training.batches import GraphBatch, NodeImage, batches, shuffled
from pipeline.training.generators import MASKED, GraphGenerator, Metric
from pipeline.training.presets import Settings

FOREIGN_IMAGES = 3
"""Other images a patch is compared with in a step."""

PATCHES_COMPARED = 512
"""Guard on time and memory: most patches of an image in a step; of a larger one they are drawn."""

HELD_OUT_SEED = 0
"""Seed of the patches drawn from large held-out images, the same at every look."""

CHECK_EVERY_STEPS = 25
"""Steps between two looks at the held-out images."""

LEAST_CONTRAST = 0.02
"""Fall of the held-out loss below log 2, in nats, from which the metric is kept."""

log = get_logger("training")


def pretrain(
    generator: GraphGenerator | None,
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
        Seed of the order of images, and of the patches drawn from large ones.

    Returns
    -------
    Contrast: log 2 less the least loss on ``held_out``, in nats; NaN where nothing was
    trained: no steps asked for, another generator, or too few images to compare.
    """
    if not isinstance(generator, Metric) or not settings.pretraining_steps:
        return math.nan
    if not (_any_comparable(train, settings) and _any_comparable(held_out, settings)):
        log.info("pre-training: left out, it needs two images of several patches in train and in structure")
        return math.nan
    start = copy.deepcopy(generator.state_dict())
    least, state = _least_held_out_loss(generator, train, held_out, settings, order_seed)
    contrast = math.log(2) - least
    found = contrast >= LEAST_CONTRAST
    generator.load_state_dict(state if found else start)
    if found:
        generator.settle()
    log.info("pre-training: held-out contrast %.4f nats, %s", contrast, "kept" if found else "not kept")
    return contrast


def _least_held_out_loss(
    generator: Metric, train: Sequence[NodeImage], held_out: Sequence[NodeImage], settings: Settings, order_seed: int
) -> tuple[float, dict[str, Tensor]]:
    """Train, and return the least loss on ``held_out`` with the weights that had it."""
    least, state = math.inf, generator.state_dict()
    optimiser = torch.optim.Adam(generator.parameters(), lr=settings.pretraining_rate)
    endless = _round_and_round(train, settings, torch.Generator().manual_seed(order_seed))
    generator.train()
    for step in range(1, settings.pretraining_steps + 1):
        optimiser.zero_grad(set_to_none=True)
        contrastive_loss(generator, next(endless)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % CHECK_EVERY_STEPS == 0 or step == settings.pretraining_steps:
            loss = held_out_loss(generator, held_out, settings)
            if loss < least:
                least, state = loss, copy.deepcopy(generator.state_dict())
    return least, state


def contrastive_loss(generator: Metric, batch: GraphBatch) -> Tensor:
    """Mean loss of the patches that have another one in their image, over all heads.

    Each image is compared with the ones after it in the batch, FOREIGN_IMAGES at most;
    there must be two.
    """
    directions, factors = generator.directions(batch.x), generator.factors()
    shifts = range(1, min(FOREIGN_IMAGES, len(batch.x) - 1) + 1)
    foreign = torch.cat([directions.roll(shift, 0) for shift in shifts], dim=2)
    foreign_mask = torch.cat([batch.mask.roll(shift, 0) for shift in shifts], dim=1)
    own = log_mean_exp(factors * directions @ directions.transpose(2, 3), batch.pair_mask.unsqueeze(1))
    other = log_mean_exp(factors * directions @ foreign.transpose(2, 3), foreign_mask[:, None, None])
    return softplus(other - own).mean(dim=1)[batch.pair_mask.any(dim=-1)].mean()


def log_mean_exp(logits: Tensor, mask: Tensor) -> Tensor:
    """Log of the mean of exp over the masked entries of the last dimension."""
    return logits.masked_fill(~mask, MASKED).logsumexp(dim=-1) - mask.sum(dim=-1).clamp_min(1).log()


@torch.no_grad()
def held_out_loss(generator: Metric, images: Sequence[NodeImage], settings: Settings) -> float:
    """Mean contrastive loss over batches of ``images``, of large ones always over the same patches."""
    same = torch.Generator().manual_seed(HELD_OUT_SEED)
    losses = [float(contrastive_loss(generator, batch)) for batch in _comparable(images, settings, same)]
    return sum(losses) / len(losses)


def _any_comparable(images: Sequence[NodeImage], settings: Settings) -> bool:
    return any(True for _ in _comparable(images, settings, torch.Generator()))


def _round_and_round(images: Sequence[NodeImage], settings: Settings, draws: torch.Generator) -> Iterator[GraphBatch]:
    while True:
        yield from _comparable(images, settings, draws, shuffled(len(images), draws))


def _comparable(
    images: Sequence[NodeImage], settings: Settings, draws: torch.Generator, order: Sequence[int] | None = None
) -> Iterator[GraphBatch]:
    """Batches of at least two images, or drawn parts of them, one of which has two patches."""
    most = min(PATCHES_COMPARED, settings.dense_limit)
    parts = [_part(image, most, draws) for image in images]
    for positions, batch in batches(parts, max(settings.batch_size, 2), order):
        if len(positions) > 1 and bool(batch.pair_mask.any()):
            yield batch


def _part(image: NodeImage, most: int, draws: torch.Generator) -> NodeImage:
    """The image, or ``most`` of its patches by a draw."""
    n_patches = len(image.x)
    if n_patches <= most:
        return image
    drawn = torch.randperm(n_patches, generator=draws)[:most].to(image.x.device)
    return replace(image, x=image.x[drawn], coords=image.coords[drawn])
