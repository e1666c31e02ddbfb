import numpy as np
import pytest
import torch

from pipeline.nuclei.network.flow_dynamics import follow_flows
from pipeline.nuclei.network.flow_dynamics_on_device import follow_flows_on_device
from pipeline.nuclei.network.nucleus_flows import FLOW_FACTOR, flows_from_labels
from pipeline.synthetic.painting.tissue import PaintedTissue


def output(
    flow_y: float, flow_x: float, inside: list[tuple[int, int]], shape: tuple[int, int] = (6, 8)
) -> torch.Tensor:
    planes = torch.full((3, *shape), -1.0)
    planes[0], planes[1] = flow_y * FLOW_FACTOR, flow_x * FLOW_FACTOR
    for row, col in inside:
        planes[2, row, col] = 1.0
    return planes


def test_pixels_move_with_the_flow_inside_nuclei_only() -> None:
    [(pixels, ends)] = follow_flows_on_device(
        output(0.0, 1.0, [(2, 1), (2, 2), (2, 3)])[None], steps=2, cellprob_threshold=0.0
    )
    assert pixels.tolist() == [[2, 1], [2, 2], [2, 3]]
    # Beyond column 3 there is no flow, so that all come to rest at column 4 at most.
    assert ends.tolist() == [[2, 3], [2, 4], [2, 4]]


def test_nothing_leaves_the_picture() -> None:
    everywhere = [(row, col) for row in range(6) for col in range(8)]
    [(_, ends)] = follow_flows_on_device(output(1.0, -1.0, everywhere)[None], steps=50, cellprob_threshold=0.0)
    assert {tuple(end) for end in ends.tolist()} == {(5, 0)}


def test_images_of_a_batch_do_not_meet() -> None:
    first, second = output(0.0, 1.0, [(0, 0)]), output(1.0, 0.0, [(0, 0), (1, 0)])
    together = follow_flows_on_device(torch.stack([first, second]), steps=3, cellprob_threshold=0.0)
    for alone, part in zip((first, second), together, strict=True):
        [expected] = follow_flows_on_device(alone[None], steps=3, cellprob_threshold=0.0)
        assert all(np.array_equal(a, b) for a, b in zip(part, expected, strict=True))


def noisy_output(labels: np.ndarray) -> np.ndarray:
    """What a network that knows ``labels`` but for noise would say, (3, h, w)."""
    noise = np.random.default_rng(0).normal(0, 0.5, (2, *labels.shape)).astype(np.float32)
    flows = FLOW_FACTOR * flows_from_labels(labels) + noise
    return np.concatenate([flows, np.where(labels > 0, 5, -5)[None]]).astype(np.float32)


def test_torch_follows_to_the_same_places(tissue: PaintedTissue) -> None:
    outputs = np.stack([noisy_output(tissue.labels), -np.ones((3, *tissue.labels.shape), np.float32)])
    on_device = follow_flows_on_device(torch.from_numpy(outputs), steps=40, cellprob_threshold=0.0)
    pixels, ends = follow_flows(outputs[0], steps=40, cellprob_threshold=0.0)
    assert len(pixels) > 1000
    assert np.array_equal(on_device[0][0], pixels)
    assert (on_device[0][1] == ends).all(axis=1).mean() > 0.999
    assert [len(part) for part in on_device[1]] == [0, 0]


@pytest.mark.gpu
def test_a_gpu_follows_to_the_same_places(tissue: PaintedTissue) -> None:
    said = noisy_output(tissue.labels)
    (pixels, ends), *_ = follow_flows_on_device(torch.from_numpy(said[None]).cuda(), steps=40, cellprob_threshold=0.0)
    expected = follow_flows(said, steps=40, cellprob_threshold=0.0)
    assert np.array_equal(pixels, expected[0])
    assert (ends == expected[1]).all(axis=1).mean() > 0.99
