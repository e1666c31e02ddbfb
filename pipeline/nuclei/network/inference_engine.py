"""The network and its dynamics; torch is imported only where it runs the network.

Frame: network pixels, arrays (row, col).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from pipeline.arrays import Float32s, Int32s, Rgb
from pipeline.devices import DeviceName, device_name
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.flow_dynamics import follow_flows, labels_from_ends
from pipeline.nuclei.network.network_runtime import Runtime, open_runtime
from pipeline.nuclei.network.resizing import Size, rescaled_size, resized, resized_labels
from pipeline.nuclei.network.weights import Weights, load_weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale, network_input

if TYPE_CHECKING:
    from torch import Tensor

Key = TypeVar("Key")
"""What a batch of images is known by to whoever asks for their nuclei."""

STRIDE_PX = 8
"""Sides must be multiples of this: three poolings by 2."""

STEPS_PER_DIAMETER = 200 / 30
"""Steps of the dynamics per pixel of nucleus diameter (cellpose: 200 at 30 px)."""


def forward_whole(run: Runtime, inputs: Float32s) -> "Float32s | Tensor":
    """Output (n, 3, h, w) of inputs (n, 2, h, w) of any h and w, whole; edges are mirrored to the stride."""
    height, width = inputs.shape[2:]
    padding = ((0, 0), (0, 0), (0, -height % STRIDE_PX), (0, -width % STRIDE_PX))
    return run(np.pad(inputs, padding, mode="symmetric"))[:, :, :height, :width]


def steps_of(diameter_px: float) -> int:
    """Steps of the dynamics for nuclei of that diameter."""
    return int(np.ceil(diameter_px * STEPS_PER_DIAMETER))


class CpnetSegmenter:
    """A network ready to find nuclei in pixels.

    Parameters
    ----------
    weights
        See ``load_weights``.
    params
        Thresholds, the nucleus diameter, runtime, precision and number of threads.
    device
        See ``pipeline.devices.device_name``.

    Notes
    -----
    A network without style vector sees each image whole; one with it sees fields of the size
    it was trained on, as in Cellpose (see ``field_of_view``).
    """

    def __init__(self, weights: Weights, params: NucleiParams, device: DeviceName) -> None:
        self.weights = weights
        self.params = params
        self.device = device
        run = open_runtime(
            fold(weights), device, runtime=params.runtime, precision=params.precision, threads=params.threads
        )
        if weights.style:
            from pipeline.nuclei.network.field_of_view import forward_in_fields

            self.forward: Callable[[Float32s], Float32s | Tensor] = partial(forward_in_fields, run)
        else:
            self.forward = partial(forward_whole, run)

    def network_mpp(self) -> float:
        """Resolution at which nuclei of ``nucleus_diameter_um`` have the training diameter, um/px."""
        return self.params.nucleus_diameter_um / self.weights.diameter_px

    def segment(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Labels]:
        """Nuclei of each image, labelled 1 to n without gaps, 0 = background; see ``segmenters.Segmenter``."""
        return next(labels for _, labels in self.segment_batches([(None, rgbs)], mpp, stain))

    def segment_batches(
        self, batches: Iterable[tuple[Key, Sequence[Rgb]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Key, list[Labels]]]:
        """``segment`` of each batch, in order, with the key that came with it.

        The network works on a batch on the GPU while processor threads finish the one before,
        so one batch more than has been asked for is taken from ``batches``.
        """
        running: _Running[Key] | None = None
        with ThreadPoolExecutor(self.params.threads) as pool:
            for key, rgbs in batches:
                inputs = np.stack(list(pool.map(partial(self._input, mpp=mpp, stain=stain), rgbs)))
                last = None if running is None else self._traced(running, pool)
                running = _Running(key, self.forward(inputs), (rgbs[0].shape[0], rgbs[0].shape[1]))
                if last is not None:
                    yield last.key, self._labelled(last, mpp, pool)
            if running is not None:
                yield running.key, self._labelled(self._traced(running, pool), mpp, pool)

    def _input(self, rgb: Rgb, *, mpp: float, stain: StainScale) -> Float32s:
        size = rescaled_size((rgb.shape[0], rgb.shape[1]), mpp / self.network_mpp())
        return network_input(resized(rgb, size), stain, self.weights.input)

    def _traced(self, running: "_Running[Key]", pool: ThreadPoolExecutor) -> "_Traced[Key]":
        outputs = running.outputs
        steps, threshold = steps_of(self.weights.diameter_px), self.params.cellprob_threshold
        if not isinstance(outputs, np.ndarray) and outputs.is_cuda:
            from pipeline.nuclei.network.flow_dynamics_on_device import follow_flows_on_device

            ends = follow_flows_on_device(outputs, steps=steps, cellprob_threshold=threshold)
            return _Traced(running.key, ends, outputs[:, :2].cpu().numpy(), running.size)
        arrays = np.asarray(outputs)
        follow = partial(follow_flows, steps=steps, cellprob_threshold=threshold)
        return _Traced(running.key, list(pool.map(follow, arrays)), arrays[:, :2], running.size)

    def _labelled(self, traced: "_Traced[Key]", mpp: float, pool: ThreadPoolExecutor) -> list[Labels]:
        min_area_px = self.params.min_area_um2 / mpp**2

        def labels_of(ends: tuple[Int32s, Int32s], flows: Float32s) -> Labels:
            nuclei = labels_from_ends(*ends, flows, flow_threshold=self.params.flow_threshold)
            return whole_nuclei(resized_labels(nuclei, traced.size), min_area_px)

        return list(pool.map(labels_of, traced.ends, traced.flows))


def open_cpnet(path: Path, params: NucleiParams, *, device: str) -> CpnetSegmenter:
    """Segmenter with the weights file at ``path``; sets torch's threads where torch runs it."""
    return CpnetSegmenter(load_weights(path), params, device_name(device))


@dataclass(frozen=True)
class _Running(Generic[Key]):
    """A batch whose output (n, 3, h, w) a device may still compute, and the images' own height and width."""

    key: Key
    outputs: "Float32s | Tensor"
    size: Size


@dataclass(frozen=True)
class _Traced(Generic[Key]):
    """Pixels inside nuclei and their ends of each image, flows (n, 2, h, w), and the images' own height and width."""

    key: Key
    ends: list[tuple[Int32s, Int32s]]
    flows: Float32s
    size: Size
