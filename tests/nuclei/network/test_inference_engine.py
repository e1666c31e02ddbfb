from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.nuclei.learning.cellpose_cpnet import build_network, forward, load_network
from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.network.flow_dynamics import flows_from_labels
from pipeline.nuclei.network.inference_engine import NucleusFinder, open_finder
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale
from pipeline.synthetic.painting.tissue import PaintedTissue
from tests.nuclei.network.network_outputs import labels_from_output

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


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (40, 33)])
def test_black_white_and_tiny_tiles(colour: int, size: tuple[int, int]) -> None:
    finder = open_finder(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(), device="cpu")
    found = finder.find([np.full((*size, 3), colour, np.uint8)], 0.5, StainScale(0.0, 0.8))
    assert found[0].shape == size
    assert not found[0].any()


def test_batches_come_in_order_and_as_one_by_one(tissue: PaintedTissue) -> None:
    finder = open_finder(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(threads=2), device="cpu")
    scale = StainScale(0.0, 1.0)
    batches = [[tissue.rgb[:64, :80], tissue.rgb[64:128, :80]], [tissue.rgb[:48, 100:148]]]
    keyed = list(finder.find_batches(enumerate(batches), 0.5, scale))
    assert [key for key, _ in keyed] == [0, 1]
    found = [labels for _, labels in keyed]
    assert [[image.shape for image in batch] for batch in found] == [[(64, 80), (64, 80)], [(48, 48)]]
    for batch, labels in zip(batches, found, strict=True):
        for one, expected in zip(finder.find(batch, 0.5, scale), labels, strict=True):
            assert expected.max() > 0
            assert np.array_equal(one, expected)
    assert list(finder.find_batches(iter([]), 0.5, scale)) == []


def test_same_output_and_nuclei_as_cellpose(tmp_path: Path) -> None:
    """The full-width network with style vector on an image of four fields; its tensors are random but in play."""
    from cellpose.models import CellposeModel

    torch.manual_seed(3)
    network = build_network((2, 32, 64, 128, 256), style=True)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data.normal_(0.2, 0.7)
    image = np.random.default_rng(0).random((236, 240, 2), dtype=np.float32)
    inputs = np.moveaxis(image, -1, 0)[None].copy()
    # Half the pixels inside nuclei, and flows that gather them.
    with torch.no_grad():
        middle, spread = torch.std_mean(network.eval()(torch.from_numpy(inputs[:, :, :224, :224]))[0], dim=(0, 2, 3))[
            ::-1
        ]
    network.output[2].weight.data *= 5 / spread.view(-1, 1, 1, 1)
    network.output[2].bias.data = (network.output[2].bias.data - middle) * 5 / spread
    network.diam_mean.data[:] = network.diam_labels.data[:] = 30
    torch.save(network.state_dict(), tmp_path / "cpnet")
    model = CellposeModel(gpu=False, pretrained_model=str(tmp_path / "cpnet"))
    masks, (_, flows, logits), _ = model.eval(
        image, channels=None, channel_axis=-1, normalize=False, diameter=30, min_size=1, flow_threshold=0
    )
    finder = open_finder(tmp_path / "cpnet", NucleiParams(threads=2, flow_threshold=0), device="cpu")
    output = np.asarray(finder.forward(inputs)[0])
    expected = np.concatenate([flows, logits[None]])
    assert expected.std() > 0.1
    assert output == pytest.approx(expected, abs=1e-3 * float(np.abs(expected).max()))
    found = labels_from_output(output, finder.params, diameter_px=30)
    assert found.max() > 5
    assert match_nuclei(masks, found, 0.5).average_precision >= 0.99


def test_flows_are_unit_vectors_to_the_middle() -> None:
    labels = discs()
    flows = flows_from_labels(labels)
    inside = labels > 0
    lengths = np.linalg.norm(flows, axis=0)
    for middle in ((20, 20), (20, 36), (45, 60)):
        assert lengths[middle] == pytest.approx(0, abs=1e-3) or lengths[middle] == pytest.approx(1, abs=1e-3)
        lengths[middle] = 1  # by symmetry the middle flows nowhere, but for rounding
    assert lengths[inside] == pytest.approx(1, abs=1e-3)
    assert not flows[:, ~inside].any()
    assert flows[0, 14, 20] > 0.9  # above the middle: down
    assert flows[1, 20, 14] > 0.9  # left of it: right


def test_flows_of_nothing() -> None:
    assert not flows_from_labels(np.zeros((8, 8), np.int32)).any()


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
    finder = NucleusFinder(tiny_weights, NucleiParams(cellprob_threshold=-6, flow_threshold=0), "cpu")
    rgb = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    assert finder.network_mpp() == 0.5
    for mpp in (0.25, 0.5, 0.9):
        assert finder.find([rgb, rgb], mpp, StainScale(0, 1))[1].shape == (50, 70)


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
