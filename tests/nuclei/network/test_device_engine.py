"""The card's path, run on the processor; what needs a card is marked."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import DeviceError
from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.network import device_engine, flow_dynamics_on_device, nucleus_flows_on_device
from pipeline.nuclei.network.device_engine import DeviceSegmenter
from pipeline.nuclei.network.inference_engine import CpnetSegmenter, cpnet_segmenter
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale
from pipeline.synthetic.painting.tissue import PaintedTissue
from tests.nuclei.random_weights import random_weights
from tests.watched_kernels import Watched

CPU = torch.device("cpu")
SCALE = StainScale(0.0, 1.0)


def squares(tissue: PaintedTissue, n: int, side: int = 96) -> list[np.ndarray]:
    return [np.ascontiguousarray(tissue.rgb[:side, 24 * i : 24 * i + side]) for i in range(n)]


@pytest.mark.parametrize("mpp", [0.5, 0.45, 0.62])
def test_the_nuclei_of_the_processor_s_path(shipped_weights: Weights, tissue: PaintedTissue, mpp: float) -> None:
    """At the network's own resolution to the pixel, else but for grey levels that resizing rounds otherwise."""
    params, stain = NucleiParams(runtime="torch"), estimate_stain_scale([tissue.rgb])
    rgb = tissue.rgb[:192, :240]
    (expected,) = CpnetSegmenter(shipped_weights, params).segment([rgb], mpp, stain)
    (found,) = DeviceSegmenter(shipped_weights, params, CPU).segment([rgb], mpp, stain)
    assert expected.max() > 10
    if mpp == 0.5:
        assert np.array_equal(found, expected)
    assert match_nuclei(expected, found, 0.5).average_precision >= 0.995
    assert match_nuclei(expected, found, 0.9).average_precision >= 0.9


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "agreement"), [("float32", 0.995), ("float16", 0.98)])
def test_the_nuclei_of_the_processor_on_a_card(
    shipped_weights: Weights, tissue: PaintedTissue, precision: Any, agreement: float
) -> None:
    stain = estimate_stain_scale([tissue.rgb])
    (expected,) = CpnetSegmenter(shipped_weights, NucleiParams(runtime="torch")).segment([tissue.rgb], 0.5, stain)
    segmenter = cpnet_segmenter(shipped_weights, NucleiParams(precision=precision), "cuda")
    (found,) = segmenter.segment([tissue.rgb], 0.5, stain)
    assert match_nuclei(expected, found, 0.5).average_precision >= agreement
    assert np.array_equal(found, segmenter.segment([tissue.rgb], 0.5, stain)[0])


def test_a_network_with_style_sees_fields() -> None:
    weights = random_weights((2, 4, 8, 8, 8), style=True, seed=1)
    params = NucleiParams(runtime="torch")
    inputs = torch.rand(2, 2, 230, 250)
    expected = np.asarray(CpnetSegmenter(weights, params).forward(inputs.numpy()))
    found = DeviceSegmenter(weights, params, CPU).forward(inputs).numpy()
    assert found == pytest.approx(expected, abs=1e-5 * float(np.abs(expected).max()))


def test_batches_come_in_order_and_as_one_by_one(shipped_weights: Weights, tissue: PaintedTissue) -> None:
    segmenter = DeviceSegmenter(shipped_weights, NucleiParams(), CPU)
    batches = [squares(tissue, 3), squares(tissue, 1, 64), squares(tissue, 2, 80)]
    keyed = list(segmenter.segment_batches(enumerate(batches), 0.5, SCALE))
    assert [key for key, _ in keyed] == [0, 1, 2]
    for batch, (_, labels) in zip(batches, keyed, strict=True):
        for rgb, of_image in zip(batch, labels, strict=True):
            assert of_image.max() > 0
            assert np.array_equal(segmenter.segment([rgb], 0.5, SCALE)[0], of_image)
    assert list(segmenter.segment_batches(iter([]), 0.5, SCALE)) == []


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (40, 33)])
def test_black_white_and_tiny_tiles(shipped_weights: Weights, colour: int, size: tuple[int, int]) -> None:
    segmenter = DeviceSegmenter(shipped_weights, NucleiParams(), CPU)
    (labels,) = segmenter.segment([np.full((*size, 3), colour, np.uint8)], 0.5, StainScale(0.0, 0.8))
    assert labels.shape == size
    assert not labels.any()


class Lifting(Watched):
    """Counts too what becomes a tensor on the host."""

    lifted = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.lifted += func.name() == "aten::lift_fresh"
        return super().__torch_dispatch__(func, types, args, kwargs)


@pytest.mark.parametrize("n_images", [1, 4])
def test_labels_leave_the_device_once_a_batch(
    shipped_weights: Weights, tissue: PaintedTissue, n_images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is waited for besides does not grow with the batch: five times, for a few numbers a nucleus at most.

    Nothing becomes a tensor on the host that a card would wait for, but the three of ``to_device``.
    """
    left: list[tuple[int, ...]] = []
    numbers: list[int] = []

    def to_host(images: torch.Tensor) -> np.ndarray:
        left.append((*images.shape, images.element_size()))
        return images.numpy()

    def host_numbers(values: torch.Tensor) -> np.ndarray:
        numbers.append(values.numel())
        return values.numpy()

    monkeypatch.setattr(device_engine, "to_host", to_host)
    monkeypatch.setattr(flow_dynamics_on_device, "host_numbers", host_numbers)
    monkeypatch.setattr(nucleus_flows_on_device, "host_numbers", host_numbers)
    segmenter = DeviceSegmenter(shipped_weights, NucleiParams(), CPU)
    pictures = squares(tissue, n_images)
    with Lifting() as watched:
        labels = segmenter.segment(pictures, 0.5, SCALE)
    n_nuclei = sum(int(of_image.max()) for of_image in labels)
    assert left == [(n_images, 96, 96, 4)]
    assert n_nuclei > 3 * n_images
    assert len(numbers) == 2
    assert sum(numbers) < 10 * n_nuclei + 100
    assert watched.waits.total() == 3
    assert watched.lifted == 3


def test_a_step_of_the_dynamics_is_a_few_operations(tissue: PaintedTissue, shipped_weights: Weights) -> None:
    """Following takes three and diffusing three for each size of square, whatever the batch."""
    counts = []
    for n_images in (1, 4):
        segmenter = DeviceSegmenter(shipped_weights, NucleiParams(), CPU)
        with Watched() as watched:
            segmenter.segment(squares(tissue, n_images), 0.5, SCALE)
        counts.append(watched.launches)
    assert counts[1] < 1.5 * counts[0]
    assert counts[1] < 3000


class Cramped:
    """Stands for the network where its memory matters: holds ``room`` images, and nothing is a nucleus."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.passes: list[int] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.passes.append(len(inputs))
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("no room")
        return torch.full((len(inputs), 3, *inputs.shape[2:]), -1.0)


def test_out_of_memory_halves_the_batch_and_goes_on(
    tiny_weights: Weights, tissue: PaintedTissue, caplog: pytest.LogCaptureFixture
) -> None:
    segmenter = DeviceSegmenter(tiny_weights, NucleiParams(), CPU)
    segmenter.runtime = Cramped(2)  # type: ignore[assignment]
    batches = enumerate([squares(tissue, 5), squares(tissue, 3)])
    with caplog.at_level(logging.WARNING, logger="abignet.nuclei"):
        found = list(segmenter.segment_batches(batches, 0.5, SCALE))
    assert [len(labels) for _, labels in found] == [5, 3]
    assert segmenter.runtime.passes == [5, 2, 2, 1, 2, 1]
    assert [record.getMessage() for record in caplog.records] == ["cpu: out of memory with 5 images, now 2 a pass"]


def test_one_image_that_does_not_fit_is_an_error(tiny_weights: Weights, tissue: PaintedTissue) -> None:
    segmenter = DeviceSegmenter(tiny_weights, NucleiParams(), CPU)
    segmenter.runtime = Cramped(0)  # type: ignore[assignment]
    with pytest.raises(DeviceError, match=r"one image of 96 x 96 pixels; .* smaller nuclei.block_px"):
        segmenter.segment(squares(tissue, 2), 0.5, SCALE)


def test_labels_are_finished_and_pixels_taken_while_the_next_batch_is_computed(
    tiny_weights: Weights, tissue: PaintedTissue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device's second batch waits until the first is finished and the third taken, which it would for ever."""
    segmenter = DeviceSegmenter(tiny_weights, NucleiParams(), CPU)
    finished, third_taken = threading.Event(), threading.Event()
    finish = device_engine.finished_labels
    computed: list[int] = []

    def compute(images: torch.Tensor, *settings: Any) -> torch.Tensor:
        computed.append(len(images))
        if len(computed) == 2:
            assert finished.wait(20)
            assert third_taken.wait(20)
        return torch.zeros(images.shape[:3], dtype=torch.int32)

    def finishing(*given: Any, **named: Any) -> np.ndarray:
        labels = finish(*given, **named)
        finished.set()
        return labels

    def batches() -> Iterator[tuple[str, list[np.ndarray]]]:
        for key in "abc":
            if key == "c":
                third_taken.set()
            yield key, squares(tissue, 1)

    monkeypatch.setattr(segmenter, "_labels_of", compute)
    monkeypatch.setattr(device_engine, "finished_labels", finishing)
    assert [key for key, _ in segmenter.segment_batches(batches(), 0.5, SCALE)] == ["a", "b", "c"]


def test_a_batch_is_what_free_memory_holds(
    shipped_weights: Weights, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked once a size, as long as the card is the job's; a size that is asked for stays."""
    free = [2**32, 2**40, 2**20, 2**40]
    monkeypatch.setattr(device_engine, "free_memory", lambda device: free.pop(0))
    segmenter = DeviceSegmenter(shipped_weights, NucleiParams(), CPU)
    with caplog.at_level(logging.INFO, logger="abignet.nuclei"):
        assert [segmenter.at_once(side, 0.5) for side in (1120, 1120, 288, 4000)] == [4, 4, 253, 1]
    assert caplog.messages[0] == "cpu: 4 squares of 1120 px at once, about 1.9 GiB of 4.0 GiB free"
    assert DeviceSegmenter(shipped_weights, NucleiParams(batch_size=5), CPU).at_once(1120, 0.5) == 5


def test_cores_beside_a_card(shipped_weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, asked, helpers in ((16, None, 6), (2, None, 2), (2, 4, 4)):
        monkeypatch.setattr("os.sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        assert DeviceSegmenter(shipped_weights, NucleiParams(threads=asked), CPU).helpers == helpers
