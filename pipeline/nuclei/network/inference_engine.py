"""The network and its dynamics on processors; torch is imported only where it runs the network.

Frame: network pixels, arrays (row, col).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Float32s, Rgb
from pipeline.devices import DeviceName, device_name
from pipeline.errors import DeviceError
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.network.cpnet_engine import STRIDE_PX, CpnetEngine, Key, steps_of
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.flow_dynamics import follow_flows, labels_from_ends
from pipeline.nuclei.network.network_runtime import Runtime, open_runtime
from pipeline.nuclei.network.resizing import Size, resized, resized_labels
from pipeline.nuclei.network.weights import Weights, load_weights
from pipeline.nuclei.params import PROCESSOR_BATCH, NucleiParams, cores_of_job
from pipeline.nuclei.stain.stain_channels import StainScale, network_input
from pipeline.provenance import file_digest

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.nuclei.network.device_engine import DeviceSegmenter


def forward_whole(run: Runtime, inputs: Float32s) -> "Float32s | Tensor":
    """Output (n, 3, h, w) of inputs (n, 2, h, w) of any h and w, whole; edges are mirrored to the stride."""
    height, width = inputs.shape[2:]
    padding = ((0, 0), (0, 0), (0, -height % STRIDE_PX), (0, -width % STRIDE_PX))
    return run(np.pad(inputs, padding, mode="symmetric"))[:, :, :height, :width]


class CpnetSegmenter(CpnetEngine):
    """A network ready to find nuclei in pixels, on processors; ``DeviceSegmenter`` is its like on cards.

    Parameters
    ----------
    weights
        See ``load_weights``.
    params
        Thresholds, the nucleus diameter, runtime, precision and number of threads.

    Notes
    -----
    A network without style vector sees each image whole; one with it sees fields of the size
    it was trained on, as in Cellpose (see ``field_of_view``).
    """

    def __init__(self, weights: Weights, params: NucleiParams) -> None:
        super().__init__(weights, params)
        self.threads = cores_of_job(params.threads, card=False)
        run = open_runtime(fold(weights), runtime=params.runtime, precision=params.precision, threads=self.threads)
        if weights.style:
            from pipeline.nuclei.network.field_of_view import forward_in_fields

            self.forward: Callable[[Float32s], Float32s | Tensor] = partial(forward_in_fields, run)
        else:
            self.forward = partial(forward_whole, run)

    def at_once(self, side_px: int, mpp: float) -> int:
        """Images in a batch, whatever their size."""
        return self.params.batch_size or PROCESSOR_BATCH

    def segment_batches(
        self, batches: Iterable[tuple[Key, Sequence[Rgb]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Key, list[Labels]]]:
        """``segment`` of each batch, in order, with the key that came with it."""
        with ThreadPoolExecutor(self.threads) as pool:
            for key, rgbs in batches:
                inputs = np.stack(list(pool.map(partial(self._input, mpp=mpp, stain=stain), rgbs)))
                size = (rgbs[0].shape[0], rgbs[0].shape[1])
                labelled = partial(self._labelled, size=size, min_area_px=self.least_area_px(mpp))
                yield key, list(pool.map(labelled, np.asarray(self.forward(inputs))))

    def _input(self, rgb: Rgb, *, mpp: float, stain: StainScale) -> Float32s:
        size = self.seen_size((rgb.shape[0], rgb.shape[1]), mpp)
        return network_input(resized(rgb, size), stain, self.weights.input)

    def _labelled(self, output: Float32s, *, size: Size, min_area_px: float) -> Labels:
        steps, threshold = steps_of(self.weights.diameter_px), self.params.cellprob_threshold
        ends = follow_flows(output, steps=steps, cellprob_threshold=threshold)
        nuclei = labels_from_ends(*ends, output[:2], flow_threshold=self.params.flow_threshold)
        return whole_nuclei(resized_labels(nuclei, size), min_area_px)


def cpnet_segmenter(weights: Weights, params: NucleiParams, device: DeviceName) -> "CpnetSegmenter | DeviceSegmenter":
    """Segmenter with these weights on a processor or a card.

    Raises
    ------
    DeviceError
        If ``params`` ask for what the device cannot do.
    """
    if device == "cpu":
        return CpnetSegmenter(weights, params)
    if params.runtime == "openvino":
        raise DeviceError(
            "runtime: openvino runs on the CPU, found cuda; use device: cpu and precision: float32, or runtime: torch."
        )
    import torch

    from pipeline.nuclei.network.device_engine import DeviceSegmenter

    return DeviceSegmenter(weights, params, torch.device(device))


def open_cpnet(path: Path, params: NucleiParams, *, device: str) -> "CpnetSegmenter | DeviceSegmenter":
    """``cpnet_segmenter`` with the weights file at ``path``; on a processor it sets torch's threads.

    Raises
    ------
    WeightsError
        If the file is missing or no CPnet.
    DeviceError
        If ``params`` ask for what the device cannot do, or there is none of that name.
    """
    name = device_name(device)
    if name == "cpu":
        return _processor_segmenter(path, file_digest(path), params)
    return cpnet_segmenter(load_weights(path), params, name)


@lru_cache(maxsize=1)
def _processor_segmenter(path: Path, digest: str, params: NucleiParams) -> CpnetSegmenter:
    """Kept for the next image of a batch: reading, checking and compiling a network takes a sixth of a small image."""
    return CpnetSegmenter(load_weights(path), params)
