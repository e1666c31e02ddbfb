import numpy as np
import pytest

from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.network.flow_dynamics import follow_flows, labels_from_ends
from pipeline.nuclei.network.nucleus_flows import flows_from_labels
from pipeline.synthetic.painting.tissue import PaintedTissue


def output_of(labels: np.ndarray, *, noise: float = 0.0) -> np.ndarray:
    """What a network that knows ``labels`` would say, (3, h, w)."""
    rng = np.random.default_rng(0)
    flows = 5 * flows_from_labels(labels) + rng.normal(0, noise, (2, *labels.shape)).astype(np.float32)
    return np.concatenate([flows, np.where(labels > 0, 5, -5)[None]]).astype(np.float32)


def nuclei_of(output: np.ndarray, *, flow_threshold: float = 0.4) -> np.ndarray:
    pixels, ends = follow_flows(output, steps=120, cellprob_threshold=0.0)
    return labels_from_ends(pixels, ends, output[:2], flow_threshold=flow_threshold)


def squares(n: int, *, side: int, pitch: int) -> np.ndarray:
    """``n`` x ``n`` squares, numbered row by row."""
    labels = np.zeros((n * pitch, n * pitch), np.int32)
    for row in range(n):
        for col in range(n):
            labels[row * pitch + 1 :, col * pitch + 1 :][:side, :side] = row * n + col + 1
    return labels


def test_touching_nuclei_come_back_in_reading_order(tissue: PaintedTissue) -> None:
    nuclei = nuclei_of(output_of(tissue.labels))
    assert match_nuclei(tissue.labels, nuclei, 0.8).average_precision > 0.97
    _, firsts = np.unique(nuclei, return_index=True)
    assert np.array_equal(np.argsort(firsts[1:]), np.arange(nuclei.max()))


def test_twenty_thousand_nuclei_in_one_tile() -> None:
    labels = squares(142, side=5, pitch=7)
    assert labels.max() > 20_000
    assert np.array_equal(nuclei_of(output_of(labels)), labels)


@pytest.mark.parametrize("logit", [-5.0, 5.0])
def test_pixels_that_flow_nowhere_never_gather(logit: float) -> None:
    output = np.zeros((3, 24, 24), np.float32)
    output[2] = logit
    assert not nuclei_of(output).any()


@pytest.mark.parametrize(("side", "n_nuclei"), [(15, 1), (16, 0)])
def test_a_nucleus_of_more_than_two_fifths_of_the_image_is_dropped(side: int, n_nuclei: int) -> None:
    """225 and 256 of 576 pixels are 0.39 and 0.44 of them."""
    assert nuclei_of(output_of(squares(1, side=side, pitch=24))).max() == n_nuclei


def test_a_nucleus_against_its_flows_is_dropped() -> None:
    """Its pixels end in its middle all the same, but the flows given for the check point away from it."""
    labels = squares(2, side=9, pitch=12)
    pixels, ends = follow_flows(output_of(labels), steps=120, cellprob_threshold=0.0)
    flows = 5 * flows_from_labels(labels)
    flows[:, labels == 2] *= -1
    kept = labels_from_ends(pixels, ends, flows, flow_threshold=0.4)
    assert kept.max() == 3
    assert not kept[labels == 2].any()
    assert labels_from_ends(pixels, ends, flows, flow_threshold=0.0).max() == 4


def test_a_hole_is_filled() -> None:
    labels = squares(1, side=13, pitch=24)
    output = output_of(labels)
    output[2, 3, 3] = -5
    assert np.array_equal(nuclei_of(output), labels)


def test_same_bytes_again(tissue: PaintedTissue) -> None:
    output = output_of(tissue.labels, noise=0.5)
    assert nuclei_of(output).tobytes() == nuclei_of(output).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 1.0, 1.8])
@pytest.mark.parametrize("flow_threshold", [0.0, 0.4])
def test_same_nuclei_as_cellpose(noise: float, flow_threshold: float, tissue: PaintedTissue) -> None:
    from cellpose.dynamics import compute_masks

    output = output_of(tissue.labels, noise=noise)
    expected = compute_masks(
        output[:2], output[2], niter=120, cellprob_threshold=0.0, flow_threshold=flow_threshold, min_size=1
    )
    nuclei = nuclei_of(output, flow_threshold=flow_threshold)
    assert nuclei.max() > 20
    _, first, inverse = np.unique(expected, return_index=True, return_inverse=True)
    in_reading_order = np.argsort(np.argsort(first[1:])) + 1
    assert np.array_equal(nuclei, np.concatenate([[0], in_reading_order])[inverse.reshape(nuclei.shape)])
