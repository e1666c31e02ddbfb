import numpy as np
import pytest
import torch

from pipeline.errors import DeviceError
from pipeline.nuclei.engine import (
    NucleusFinder,
    choose_device,
    flows_from_labels,
    forward,
    labels_from_output,
    load_network,
    open_finder,
    whole_nuclei,
)
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.scoring import match_nuclei
from pipeline.nuclei.stain import StainScale, estimate_stain_scale
from pipeline.nuclei.weights import Weights, resolve_weights
from pipeline.synthetic.tissue import PaintedTissue

CPU = torch.device("cpu")


def discs() -> np.ndarray:
    """Three discs of 16 px across, two of them touching."""
    rows, cols = np.mgrid[:64, :80]
    labels = np.zeros((64, 80), np.int32)
    for label, (row, col) in enumerate([(20, 20), (20, 36), (45, 60)], start=1):
        labels[(rows - row) ** 2 + (cols - col) ** 2 < 64] = label
    return labels


def perfect_output(labels: np.ndarray) -> np.ndarray:
    flows = 5 * flows_from_labels(labels)
    return np.concatenate([flows, np.where(labels > 0, 5, -5)[None]]).astype(np.float32)


def test_dynamics_recover_what_the_flows_were_made_from() -> None:
    found = labels_from_output(perfect_output(discs()), NucleiParams(), diameter_px=16)
    assert match_nuclei(discs(), found, 0.9).average_precision == 1


def test_no_cell_pixel_gives_no_nucleus() -> None:
    output = np.full((3, 16, 16), -5, np.float32)
    assert not labels_from_output(output, NucleiParams(), diameter_px=16).any()


def test_flows_are_unit_vectors_to_the_middle() -> None:
    labels = discs()
    flows = flows_from_labels(labels)
    inside = labels > 0
    assert np.linalg.norm(flows, axis=0)[inside] == pytest.approx(1, abs=1e-3)
    assert not flows[:, ~inside].any()
    assert flows[0, 14, 20] > 0.9  # above the middle: down
    assert flows[1, 20, 14] > 0.9  # left of it: right


def test_flows_of_nothing() -> None:
    assert not flows_from_labels(np.zeros((8, 8), np.int32)).any()


def test_whole_nuclei_keeps_the_largest_piece_and_numbers_anew() -> None:
    labels = np.zeros((6, 10), np.int32)
    labels[0:2, 0:2] = 5
    labels[4:6, 0:4] = 5  # the larger piece of the same label
    labels[0:2, 6:8] = 2
    labels[5, 9] = 7  # too small
    expected = np.zeros_like(labels)
    expected[0:2, 6:8] = 1
    expected[4:6, 0:4] = 2
    found = whole_nuclei(labels, min_area_px=2)
    assert len(np.unique(found)) == 3
    assert np.array_equal(found > 0, expected > 0)
    assert match_nuclei(expected, found, 1.0).average_precision == 1


@pytest.mark.parametrize("labels", [np.zeros((4, 4), np.int32), np.ones((4, 4), np.int32)])
def test_whole_nuclei_of_all_or_nothing(labels: np.ndarray) -> None:
    assert np.array_equal(whole_nuclei(labels, 1), labels)


@pytest.mark.parametrize("shape", [(40, 56), (41, 57), (8, 8), (3, 5)])
def test_forward_takes_any_size(shape: tuple[int, int], tiny_weights: Weights) -> None:
    network = load_network(tiny_weights, CPU)
    output = forward(network, np.zeros((2, 2, *shape), np.float32), CPU)
    assert output.shape == (2, 3, *shape)
    assert np.isfinite(output).all()


def test_a_batch_is_its_tiles(tiny_weights: Weights) -> None:
    network = load_network(tiny_weights, CPU)
    inputs = np.random.default_rng(0).random((3, 2, 32, 32), dtype=np.float32)
    one_by_one = np.concatenate([forward(network, inputs[i : i + 1], CPU) for i in range(3)])
    assert forward(network, inputs, CPU) == pytest.approx(one_by_one, abs=1e-5)


def test_found_nuclei_have_the_size_of_the_pixels(tiny_weights: Weights) -> None:
    finder = NucleusFinder(tiny_weights, NucleiParams(cellprob_threshold=-6, flow_threshold=0), CPU)
    rgb = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    assert finder.network_mpp() == 0.5
    for mpp in (0.25, 0.5, 0.9):
        assert finder.find([rgb, rgb], mpp, StainScale(0, 1))[1].shape == (50, 70)


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(DeviceError, match="cuda was asked for"):
        choose_device("cuda")


def test_unknown_device() -> None:
    with pytest.raises(DeviceError, match="found 'tpu'"):
        choose_device("tpu")


def test_shipped_weights_find_painted_nuclei(tissue: PaintedTissue) -> None:
    finder = open_finder(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(), device="cpu")
    scale = estimate_stain_scale([tissue.rgb])
    found = finder.find([tissue.rgb], 0.5, scale)[0]
    assert match_nuclei(tissue.labels, found, 0.5).f1 > 0.8
    assert np.array_equal(found, finder.find([tissue.rgb], 0.5, scale)[0])


def test_shipped_weights_are_quiet_on_glass() -> None:
    finder = open_finder(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(), device="cpu")
    glass = np.random.default_rng(0).normal(243, 2, (128, 128, 3)).round().astype(np.uint8)
    assert not finder.find([glass], 0.5, StainScale(0.0, 0.8))[0].any()
