import numpy as np
import pytest
import torch

from pipeline.nuclei.labels.renumbering import renumbered
from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.network.flow_dynamics import follow_flows, labels_from_ends, without_holes
from pipeline.nuclei.network.flow_dynamics_on_device import follow_flows_on_device, labels_on_device
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


def followed(outputs: torch.Tensor, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pixels and ends (k, 2) of each image."""
    found = follow_flows_on_device(outputs, steps=steps, cellprob_threshold=0.0)
    pixels, ends = (
        torch.stack(both, dim=1).cpu().numpy() for both in ((found.row, found.col), (found.end_row, found.end_col))
    )
    image = found.image.cpu().numpy()
    return [(pixels[image == number], ends[image == number]) for number in range(len(outputs))]


def test_pixels_move_with_the_flow_inside_nuclei_only() -> None:
    [(pixels, ends)] = followed(output(0.0, 1.0, [(2, 1), (2, 2), (2, 3)])[None], 2)
    assert pixels.tolist() == [[2, 1], [2, 2], [2, 3]]
    # Beyond column 3 there is no flow, so that all come to rest at column 4 at most.
    assert ends.tolist() == [[2, 3], [2, 4], [2, 4]]


def test_nothing_leaves_the_picture() -> None:
    everywhere = [(row, col) for row in range(6) for col in range(8)]
    [(_, ends)] = followed(output(1.0, -1.0, everywhere)[None], 50)
    assert {tuple(end) for end in ends.tolist()} == {(5, 0)}


def test_images_of_a_batch_do_not_meet() -> None:
    first, second = output(0.0, 1.0, [(0, 0)]), output(1.0, 0.0, [(0, 0), (1, 0)])
    together = followed(torch.stack([first, second]), 3)
    for alone, part in zip((first, second), together, strict=True):
        [expected] = followed(alone[None], 3)
        assert all(np.array_equal(a, b) for a, b in zip(part, expected, strict=True))


def noisy_output(labels: np.ndarray) -> np.ndarray:
    """What a network that knows ``labels`` but for noise would say, (3, h, w)."""
    noise = np.random.default_rng(0).normal(0, 0.5, (2, *labels.shape)).astype(np.float32)
    flows = FLOW_FACTOR * flows_from_labels(labels) + noise
    return np.concatenate([flows, np.where(labels > 0, 5, -5)[None]]).astype(np.float32)


def test_torch_follows_to_the_same_places(tissue: PaintedTissue) -> None:
    outputs = np.stack([noisy_output(tissue.labels), -np.ones((3, *tissue.labels.shape), np.float32)])
    on_device = followed(torch.from_numpy(outputs), 40)
    pixels, ends = follow_flows(outputs[0], steps=40, cellprob_threshold=0.0)
    assert len(pixels) > 1000
    assert np.array_equal(on_device[0][0], pixels)
    assert (on_device[0][1] == ends).all(axis=1).mean() > 0.995
    assert [len(part) for part in on_device[1]] == [0, 0]


def labelled(outputs: np.ndarray, device: str, flow_threshold: float) -> list[np.ndarray]:
    raw = labels_on_device(
        torch.from_numpy(outputs).to(device), steps=40, cellprob_threshold=0.0, flow_threshold=flow_threshold
    )
    numbered = (renumbered(of_image, np.ones(of_image.max() + 1, bool)) for of_image in raw.cpu().numpy())
    return [without_holes(of_image) for of_image in numbered]


@pytest.mark.parametrize("flow_threshold", [0.0, 0.4])
def test_the_labels_of_the_processor(tissue: PaintedTissue, flow_threshold: float) -> None:
    """Of three images, one without nuclei and one mirrored; of two nuclei the flows are too short."""
    said = noisy_output(tissue.labels)
    said[:2, np.isin(tissue.labels, [3, 7])] *= 0.3
    mirrored = said[:, ::-1].copy() * np.array([-1, 1, 1], np.float32)[:, None, None]
    outputs = np.stack([said, -np.ones_like(said), mirrored])
    n_found = []
    for output, found in zip(outputs, labelled(outputs, "cpu", flow_threshold), strict=True):
        ends = follow_flows(output, steps=40, cellprob_threshold=0.0)
        expected = labels_from_ends(*ends, output[:2], flow_threshold=flow_threshold)
        # Of noisy flows, a place may fall to the other side of a whole pixel, with all that ends there.
        assert (found == expected).mean() > 0.999
        assert match_nuclei(expected, found, 0.5).f1 > 0.995 or not expected.any()
        n_found.append(int(found.max()))
    n_of_all = len(np.unique(tissue.labels)) - 1
    assert n_found[1] == 0
    assert n_found[0] == n_found[2] == n_of_all - (2 if flow_threshold else 0)


def test_what_fills_the_picture_is_no_nucleus() -> None:
    """A nucleus of all the picture is more than 0.4 of it."""
    rows, cols = np.mgrid[:40, :40].astype(np.float32)
    flows = FLOW_FACTOR * np.stack([np.sign(20 - rows), np.sign(20 - cols)])
    for n_rows, expected in ((40, 0), (12, 1)):
        logits = np.where(np.abs(rows - 20) < n_rows / 2, 1, -1)
        (found,) = labelled(np.concatenate([flows, logits[None]]).astype(np.float32)[None], "cpu", 0.0)
        assert found.max() == expected


@pytest.mark.gpu
def test_the_labels_of_the_processor_on_a_card(tissue: PaintedTissue) -> None:
    outputs = noisy_output(tissue.labels)[None].repeat(3, axis=0)
    (expected, *_), found = labelled(outputs, "cpu", 0.4), labelled(outputs, "cuda", 0.4)
    for labels in found:
        assert (labels == expected).mean() > 0.999


@pytest.mark.gpu
def test_a_gpu_follows_to_the_same_places(tissue: PaintedTissue) -> None:
    said = noisy_output(tissue.labels)
    [(pixels, ends)] = followed(torch.from_numpy(said[None]).cuda(), 40)
    expected = follow_flows(said, steps=40, cellprob_threshold=0.0)
    assert np.array_equal(pixels, expected[0])
    assert (ends == expected[1]).all(axis=1).mean() > 0.99
