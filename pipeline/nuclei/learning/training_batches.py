"""Which crops a training step sees: a function of seed and step alone, so that a training can be resumed."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.arrays import Float32s, Float64s
from pipeline.nuclei.learning.augmentation import OutlinedImage, blank_crop, random_crop
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.network.nucleus_flows import flows_from_labels
from pipeline.nuclei.stain.stain_channels import optical_density

SAME_COLOUR_DENSITY = 0.15
"""Images whose mean optical densities are nearer than this are counted as one kind of stain."""

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Inputs (n, 2, h, w), unit flows (n, 2, h, w), and insides (n, h, w) of nuclei as 0 or 1."""


@dataclass(frozen=True)
class ImagePool:
    """Images and the share of crops taken from each.

    Attributes
    ----------
    images
        At the training scale.
    shares
        (n,), summing to 1.
    """

    images: Sequence[OutlinedImage]
    shares: Float64s


def image_pool(images: Sequence[OutlinedImage]) -> ImagePool:
    """Pool that gives more crops to large images and to those whose colours are rare in it.

    The share of an image grows as the square root of its area and falls as the square root
    of the number of images stained like it.
    """
    sides = np.array([math.sqrt(image.labels.size) for image in images])
    colours = np.array([optical_density(image.rgb).mean(axis=(0, 1)) for image in images]).reshape(-1, 3)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    alike = (distances < SAME_COLOUR_DENSITY).sum(axis=1)
    shares = sides / np.sqrt(alike)
    return ImagePool(images, shares / shares.sum())


@dataclass(frozen=True)
class Pools:
    """Where crops come from; any pool may be empty, its share then falls to the real or else the fullest.

    Attributes
    ----------
    real, synthetic, collages
        Outlined images, painted ones, and collages of outlined nuclei.
    """

    real: ImagePool
    synthetic: ImagePool
    collages: ImagePool

    def drawn(self, chance: float, params: NucleiTrainingParams) -> ImagePool:
        """Pool that a uniform ``chance`` of 0 to 1 stands for."""
        if chance < params.synthetic_fraction and self.synthetic.images:
            return self.synthetic
        if chance >= 1 - params.collage_fraction and self.collages.images:
            return self.collages
        return self.real if self.real.images else max(self.synthetic, self.collages, key=lambda pool: len(pool.images))


def batches_ahead(pools: Pools, params: NucleiTrainingParams, *, first: int = 0) -> Iterator[tuple[int, Batch]]:
    """Step and batch from step ``first`` to the last, the next batch being made while one is used."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(training_batch, pools, params, first)
        for step in range(first, params.steps):
            batch = coming.result()
            coming = maker.submit(training_batch, pools, params, step + 1)
            yield step, batch


def training_batch(pools: Pools, params: NucleiTrainingParams, step: int) -> Batch:
    """Crops of one step."""
    generator = np.random.default_rng((params.seed, step))
    crops = [_one_crop(pools, params, generator) for _ in range(params.batch_size)]
    inputs, flows, inside = (np.stack(parts) for parts in zip(*crops, strict=True))
    batch = torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last)
    return batch, torch.from_numpy(flows), torch.from_numpy(inside)


def _one_crop(
    pools: Pools, params: NucleiTrainingParams, generator: np.random.Generator
) -> tuple[Float32s, Float32s, Float32s]:
    if generator.random() < params.blank_fraction:
        inputs, labels = blank_crop(params.crop_px, generator)
        return inputs, flows_from_labels(labels), (labels > 0).astype(np.float32)
    pool = pools.drawn(generator.random(), params)
    image = pool.images[int(generator.choice(len(pool.images), p=pool.shares))]
    # A rim of one nucleus lets the flows of cut nuclei point to where their middles are.
    rim = math.ceil(params.diameter_px)
    inputs, labels = random_crop(image, params.crop_px + 2 * rim, generator)
    flows = flows_from_labels(labels)
    inner = slice(rim, rim + params.crop_px)
    return inputs[:, inner, inner], flows[:, inner, inner], (labels[inner, inner] > 0).astype(np.float32)
