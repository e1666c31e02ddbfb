from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import DeviceError
from pipeline.nuclei.learning.cellpose_cpnet import build_network
from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.network.inference_engine import (
    CpnetSegmenter,
    cpnet_segmenter,
    forward_whole,
    open_cpnet,
)
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale
from pipeline.synthetic.painting.tissue import PaintedTissue
from tests.nuclei.network.network_outputs import labels_from_output


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (40, 33)])
def test_black_white_and_tiny_tiles(colour: int, size: tuple[int, int]) -> None:
    segmenter = open_cpnet(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(), device="cpu")
    (labels,) = segmenter.segment([np.full((*size, 3), colour, np.uint8)], 0.5, StainScale(0.0, 0.8))
    assert labels.shape == size
    assert not labels.any()


def test_batches_come_in_order_and_as_one_by_one(tissue: PaintedTissue) -> None:
    segmenter = open_cpnet(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(threads=2), device="cpu")
    scale = StainScale(0.0, 1.0)
    batches = [[tissue.rgb[:64, :80], tissue.rgb[64:128, :80]], [tissue.rgb[:48, 100:148]]]
    keyed = list(segmenter.segment_batches(enumerate(batches), 0.5, scale))
    assert [key for key, _ in keyed] == [0, 1]
    nuclei = [labels for _, labels in keyed]
    assert [[image.shape for image in batch] for batch in nuclei] == [[(64, 80), (64, 80)], [(48, 48)]]
    for batch, labels in zip(batches, nuclei, strict=True):
        for one, expected in zip(segmenter.segment(batch, 0.5, scale), labels, strict=True):
            assert expected.max() > 0
            assert np.array_equal(one, expected)
    assert list(segmenter.segment_batches(iter([]), 0.5, scale)) == []


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
    segmenter = open_cpnet(tmp_path / "cpnet", NucleiParams(threads=2, flow_threshold=0), device="cpu")
    output = np.asarray(segmenter.forward(inputs)[0])
    expected = np.concatenate([flows, logits[None]])
    assert expected.std() > 0.1
    assert output == pytest.approx(expected, abs=1e-3 * float(np.abs(expected).max()))
    nuclei = labels_from_output(output, segmenter.params, diameter_px=30)
    assert nuclei.max() > 5
    assert match_nuclei(masks, nuclei, 0.5).average_precision >= 0.99


@pytest.mark.parametrize(("shape", "padded"), [((40, 56), (40, 56)), ((41, 55), (48, 56)), ((3, 5), (8, 8))])
def test_edges_are_mirrored_to_the_stride_and_cut_off_again(shape: tuple[int, int], padded: tuple[int, int]) -> None:
    inputs = np.random.default_rng(0).random((2, 2, *shape), dtype=np.float32)
    seen = []

    def run(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.concatenate([images, images[:, :1]], axis=1)

    output = np.asarray(forward_whole(run, inputs))
    assert np.array_equal(output, np.concatenate([inputs, inputs[:, :1]], axis=1))
    (images,) = seen
    assert images.shape == (2, 2, *padded)
    if padded[0] > shape[0]:
        assert np.array_equal(images[:, :, shape[0], : shape[1]], inputs[:, :, -1])


def test_no_batch_is_taken_before_it_is_asked_for(tiny_weights: Weights) -> None:
    segmenter = CpnetSegmenter(tiny_weights, NucleiParams())
    taken: list[str] = []

    def batches() -> Iterator[tuple[str, list[np.ndarray]]]:
        for key in "abc":
            taken.append(key)
            yield key, [np.full((16, 16, 3), 255, np.uint8)]

    results = segmenter.segment_batches(batches(), 0.5, StainScale(0, 1))
    assert [(next(results)[0], "".join(taken)) for _ in range(3)] == [("a", "a"), ("b", "ab"), ("c", "abc")]


def test_openvino_is_not_for_cards(tiny_weights: Weights) -> None:
    with pytest.raises(DeviceError, match="openvino runs on the CPU, found cuda"):
        cpnet_segmenter(tiny_weights, NucleiParams(runtime="openvino"), "cuda")


def test_nuclei_have_the_size_of_the_pixels(tiny_weights: Weights) -> None:
    segmenter = CpnetSegmenter(tiny_weights, NucleiParams(cellprob_threshold=-6, flow_threshold=0))
    rgb = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    assert segmenter.network_mpp() == 0.5
    for mpp in (0.25, 0.5, 0.9):
        assert segmenter.segment([rgb, rgb], mpp, StainScale(0, 1))[1].shape == (50, 70)


def test_shipped_weights_find_painted_nuclei(tissue: PaintedTissue) -> None:
    segmenter = open_cpnet(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(), device="cpu")
    scale = estimate_stain_scale([tissue.rgb])
    nuclei = segmenter.segment([tissue.rgb], 0.5, scale)[0]
    assert match_nuclei(tissue.labels, nuclei, 0.5).f1 > 0.8
    assert np.array_equal(nuclei, segmenter.segment([tissue.rgb], 0.5, scale)[0])


def test_shipped_weights_are_quiet_on_glass() -> None:
    segmenter = open_cpnet(resolve_weights(SHIPPED_WEIGHTS), NucleiParams(), device="cpu")
    glass = np.random.default_rng(0).normal(243, 2, (128, 128, 3)).round().astype(np.uint8)
    assert not segmenter.segment([glass], 0.5, StainScale(0.0, 0.8))[0].any()
