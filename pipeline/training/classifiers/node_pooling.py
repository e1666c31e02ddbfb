"""How the nodes of an image are distributed, in few numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.arrays import Float64s
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PackedBatch


def mean_and_sd(batch: ImageBatch) -> Tensor:
    """Mean and population SD of each feature over the nodes of each image, (B, 2d): all means, then all SDs."""
    mean = batch.mean(batch.x)
    variance = batch.mean((batch.x - batch.at_nodes(mean)) ** 2)
    return torch.cat([mean, variance.sqrt()], dim=-1)


@torch.no_grad()
def pooled_images(images: Sequence[NodeImage]) -> Float64s:
    """``mean_and_sd`` of ``images`` one by one, so that none depends on another, float64 (n, 2d)."""
    pooled: Float64s = torch.cat([mean_and_sd(PackedBatch.of([image])) for image in images]).double().cpu().numpy()
    return pooled
