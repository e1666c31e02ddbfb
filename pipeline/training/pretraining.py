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
"""

import copy
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.logs import get_logger
from pipeline.training.batches import GraphBatch, NodeImage, batches, shuffled
from pipeline.training.generators import MASKED, GraphGenerator, Metric
from pipeline.training.presets import Settings

FOREIGN_IMAGES = 3
"""Other images a patch is compared with in a step."""

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
        Seed of the order of images.

    Returns
    -------
    Contrast: log 2 less the least loss on ``held_out``, in nats; NaN where nothing was
    trained: no steps asked for, another generator, or too few images to compare.
    """
    comparable = all(any(True for _ in _comparable(images, settings.batch_size)) for images in (train, held_out))
    if not isinstance(generator, Metric) or not settings.pretraining_steps or not comparable:
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
    endless = _round_and_round(train, settings.batch_size, torch.Generator().manual_seed(order_seed))
    generator.train()
    for step in range(1, settings.pretraining_steps + 1):
        optimiser.zero_grad(set_to_none=True)
        contrastive_loss(generator, next(endless)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % CHECK_EVERY_STEPS == 0 or step == settings.pretraining_steps:
            loss = held_out_loss(generator, held_out, settings.batch_size)
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
def held_out_loss(generator: Metric, images: Sequence[NodeImage], batch_size: int) -> float:
    """Mean contrastive loss over batches of ``images``."""
    losses = [float(contrastive_loss(generator, batch)) for batch in _comparable(images, batch_size)]
    return sum(losses) / len(losses)


def _round_and_round(images: Sequence[NodeImage], size: int, order: torch.Generator) -> Iterator[GraphBatch]:
    while True:
        yield from _comparable(images, size, shuffled(len(images), order))


def _comparable(images: Sequence[NodeImage], size: int, order: Sequence[int] | None = None) -> Iterator[GraphBatch]:
    """Batches of at least two images, one of which has two patches."""
    for positions, batch in batches(images, max(size, 2), order):
        if len(positions) > 1 and bool(batch.pair_mask.any()):
            yield batch
