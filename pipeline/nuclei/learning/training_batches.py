"""Which crops a training step sees: a function of seed and step alone, so that a training can be resumed."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch

from pipeline.arrays import Float32s, Float64s
from pipeline.errors import CohortError
from pipeline.nuclei.learning.augmentation import OutlinedImage, blank_crop, random_crop
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.network.nucleus_flows import flows_from_labels
from pipeline.nuclei.stain.stain_channels import optical_density
from pipeline.worker_processes import worker_processes

SAME_COLOUR_DENSITY = 0.15
"""Images whose mean optical densities are nearer than this are counted as one kind of stain."""

BATCHES_AHEAD = 4
"""Batches that each process makes ahead of the training."""

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


def image_pool(
    images: Sequence[OutlinedImage], origins: Sequence[int] = (), origin_shares: Sequence[float] = ()
) -> ImagePool:
    """Pool that gives more crops to large images and to those whose colours are rare in it.

    The share of an image grows as the square root of its area and falls as the square root
    of the number of images stained like it.

    Parameters
    ----------
    origins, origin_shares
        Number of the origin of each image, and the share of each origin as a whole up to a
        common factor; that of an origin without images falls to the others.  Without them
        images of all origins are alike.
    """
    sides = np.array([math.sqrt(image.labels.size) for image in images])
    colours = np.array([optical_density(image.rgb).mean(axis=(0, 1)) for image in images]).reshape(-1, 3)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    alike = (distances < SAME_COLOUR_DENSITY).sum(axis=1)
    shares = sides / np.sqrt(alike)
    for origin, whole in enumerate(origin_shares):
        of_it = np.asarray(origins) == origin
        if of_it.any():
            shares[of_it] *= whole / shares[of_it].sum()
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


def batches_ahead(
    pools: Pools, params: NucleiTrainingParams, *, first: int = 0, workers: int = 0, pinned: bool = False
) -> Iterator[tuple[int, Batch]]:
    """Step and batch from step ``first`` to the last; the same whatever the number of workers.

    Parameters
    ----------
    workers
        Processes that make the batches ahead, each with a copy of the pools; 0 makes each when it is asked for.
    pinned
        Whether batches lie in memory from which a card copies by itself.

    Raises
    ------
    CohortError
        If a process that makes crops was ended from outside.
    """
    steps = range(first, params.steps)
    if not workers:
        for step in steps:
            yield step, training_batch(pools, params, step)
        return
    with worker_processes(workers, _draw_from, pools, params) as crop_makers:
        ahead: deque[Future[Batch]] = deque()
        waiting = iter(steps)
        try:
            for step in steps:
                ahead.extend(
                    crop_makers.submit(_made_ahead, later)
                    for later in islice(waiting, workers * BATCHES_AHEAD - len(ahead))
                )
                batch = ahead.popleft().result()
                yield step, _pinned(batch) if pinned else batch
        except BrokenProcessPool as error:
            raise CohortError(
                f"train-nuclei: one of {workers} processes that make crops was ended from outside, by want of memory "
                "or of shared memory (/dev/shm) as a rule; go on with fewer workers."
            ) from error
        finally:
            crop_makers.shutdown(cancel_futures=True)


def _pinned(batch: Batch) -> Batch:
    inputs, flows, inside = batch
    return inputs.pin_memory(), flows.pin_memory(), inside.pin_memory()


_drawn_from: "tuple[Pools, NucleiTrainingParams] | None" = None
"""What a process that makes crops draws from, sent to it once."""


def _draw_from(pools: Pools, params: NucleiTrainingParams) -> None:
    global _drawn_from
    cv2.setNumThreads(1)
    _drawn_from = pools, params


def _made_ahead(step: int) -> Batch:
    assert _drawn_from is not None
    return training_batch(*_drawn_from, step)


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
