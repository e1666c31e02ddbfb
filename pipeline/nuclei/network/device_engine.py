"""The network and its dynamics on a card: pixels go there, labels come back, once a batch.

Frame: network pixels, arrays (row, col); images are (n, row, col, channel), what the network sees
(n, channel, row, col).
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Rgb
from pipeline.devices import free_memory
from pipeline.logs import get_logger
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.renumbering import renumbered
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.network.as_many_as_fit import AsManyAsFit
from pipeline.nuclei.network.batch_memory import GIB, MEMORY_SHARE, batch_memory
from pipeline.nuclei.network.cpnet_engine import STRIDE_PX, CpnetEngine, Key, steps_of
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.field_of_view import forward_in_fields
from pipeline.nuclei.network.flow_dynamics import without_holes
from pipeline.nuclei.network.flow_dynamics_on_device import labels_on_device
from pipeline.nuclei.network.resizing import Size, resized_labels
from pipeline.nuclei.network.resizing_on_device import mirrored, resized_on_device
from pipeline.nuclei.network.taken_ahead import taken_ahead
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams, cores_of_job
from pipeline.nuclei.stain.stain_channels import StainScale
from pipeline.nuclei.stain.stain_on_device import network_input_on_device
from pipeline.transfers import to_host

logger = get_logger("nuclei")


class DeviceSegmenter(CpnetEngine):
    """A network ready to find nuclei in pixels, all of it on one device; ``CpnetSegmenter`` is its like on processors.

    Parameters
    ----------
    weights
        See ``load_weights``.
    params
        Thresholds, the nucleus diameter, precision, batch size and number of cores.
    device
        A card; the processor gives the same nuclei, slowly, which is how this is tested without one.

    Attributes
    ----------
    helpers
        Cores that work beside the card.
    """

    def __init__(self, weights: Weights, params: NucleiParams, device: torch.device) -> None:
        super().__init__(weights, params)
        self.device = device
        self.runtime = TorchRuntime(FoldedNetwork(fold(weights)), device, precision=params.precision)
        self._labels_of = AsManyAsFit(self._labels, device)
        asked = cores_of_job(params.threads, card=True)
        self.helpers = asked if params.threads else min(asked, len(os.sched_getaffinity(0)))
        self._sizes: dict[tuple[int, float], int] = {}

    def at_once(self, side_px: int, mpp: float) -> int:
        """Squares of ``side_px`` in a batch: those asked for, else what fits the card's memory when first asked."""
        if (side_px, mpp) not in self._sizes:
            self._sizes[side_px, mpp] = self._fitting(side_px, mpp)
        return self._sizes[side_px, mpp]

    def segment_batches(
        self, batches: Iterable[tuple[Key, Sequence[Rgb]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Key, list[Labels]]]:
        """``segment`` of each batch, in order, with the key that came with it.

        A thread takes the next batch while the device works on one, and others finish the labels of the one before:
        up to two batches more than have been asked for are taken from ``batches``.
        """
        finishing: deque[tuple[Key, list[Future[Labels]]]] = deque()
        with ThreadPoolExecutor(self.helpers, thread_name_prefix="labels") as pool:
            staged = taken_ahead((key, self._staged(rgbs)) for key, rgbs in batches)
            for key, pictures in staged:
                size = (pictures.shape[1], pictures.shape[2])
                finish = partial(finished_labels, size=size, min_area_px=self.least_area_px(mpp))
                labels = to_host(self._labels_of(pictures, self.seen_size(size, mpp), stain))
                finishing.append((key, [pool.submit(finish, of_image) for of_image in labels]))
                if len(finishing) > 1:
                    yield _when_finished(finishing)
            while finishing:
                yield _when_finished(finishing)

    def forward(self, inputs: Tensor) -> Tensor:
        """Output (n, 3, h, w) of inputs (n, 2, h, w) of any h and w, seen as by ``CpnetSegmenter``."""
        if self.weights.style:
            return forward_in_fields(self.runtime, inputs)
        height, width = inputs.shape[2:]
        return self.runtime.forward(mirrored(inputs, STRIDE_PX))[:, :, :height, :width]

    def _fitting(self, side_px: int, mpp: float) -> int:
        height, width = self.seen_size((side_px, side_px), mpp)
        memory = batch_memory(self.weights, height * width)
        free = free_memory(self.device)
        size = self.params.batch_size or memory.images_in(int(free * MEMORY_SHARE))
        message = "%s: %d squares of %d px at once, about %.1f GiB of %.1f GiB free"
        logger.info(message, self.device, size, side_px, memory.bytes_of(size) / GIB, free / GIB)
        return size

    def _staged(self, rgbs: Sequence[Rgb]) -> Tensor:
        """Images (n, h, w, 3) from where a card fetches them while the processor does something else."""
        pictures = torch.from_numpy(np.stack(rgbs))
        return pictures.pin_memory() if self.device.type == "cuda" else pictures

    def _labels(self, pictures: Tensor, size: Size, stain: StainScale) -> Tensor:
        """Labels (n, h, w) of ``labels_on_device`` at the network's resolution, of pictures anywhere."""
        with torch.inference_mode():
            seen = resized_on_device(pictures.to(self.device, non_blocking=True), size)
            return labels_on_device(
                self.forward(network_input_on_device(seen, stain, self.weights.input)),
                steps=steps_of(self.weights.diameter_px),
                cellprob_threshold=self.params.cellprob_threshold,
                flow_threshold=self.params.flow_threshold,
            )


def finished_labels(labels: Labels, size: Size, min_area_px: float) -> Labels:
    """Nuclei at ``size``, whole and numbered, of labels as they come from the device."""
    numbered = renumbered(labels, np.ones(int(labels.max(initial=0)) + 1, dtype=bool))
    return whole_nuclei(resized_labels(without_holes(numbered), size), min_area_px)


def _when_finished(finishing: deque[tuple[Key, list[Future[Labels]]]]) -> tuple[Key, list[Labels]]:
    key, labels = finishing.popleft()
    return key, [of_image.result() for of_image in labels]
