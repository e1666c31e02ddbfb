import numpy as np
import torch

from pipeline.nuclei.network.flow_dynamics import FLOW_FACTOR
from pipeline.nuclei.network.flow_dynamics_on_device import follow_flows_on_device


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
