"""How the nodes of an image are distributed, in few numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.arrays import Float64s
from pipeline.training.graphs.batching import read_ahead
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PackedBatch


def mean_and_sd(batch: ImageBatch) -> Tensor:
    """Mean and population SD of each feature over the nodes of each image, (B, 2d): all means, then all SDs."""
    mean = batch.mean(batch.x)
    variance = batch.mean((batch.x - batch.at_nodes(mean)) ** 2)
    # A feature that is the same everywhere has the SD 0, and by this a slope of 0 instead of none.
    spread = torch.where(variance > 0, variance, torch.ones_like(variance)).sqrt()
    return torch.cat([mean, torch.where(variance > 0, spread, torch.zeros_like(spread))], dim=-1)


@torch.no_grad()
def pooled_images(images: Sequence[NodeImage]) -> Float64s:
    """``mean_and_sd`` of ``images`` one by one, so that none depends on another, float64 (n, 2d)."""
    one_by_one = read_ahead(images, ([place] for place in range(len(images))))
    pooled = [mean_and_sd(PackedBatch.of([images[place]])) for (place,) in one_by_one]
    values: Float64s = torch.cat(pooled).double().cpu().numpy()
    return values
