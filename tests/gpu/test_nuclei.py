"""Nuclei by the shipped network on every device, and what happens when memory is short."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.inference_engine import open_cpnet
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import load_weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue

MPP = 0.5
MIB_LENT = 400
"""What sixteen outputs of 512 px need twice over is a quarter of it; the network needs it all for a few images."""

AGREEMENT = 0.98
"""Least AP@0.5 between two devices on a small picture; 0.998 and 0.999 were measured on large ones."""


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    spec = TissueSpec(nuclei_per_mm2=2500.0, clustering=0.2, kappa=8.0, axis_rad=0.0)
    return [
        paint_tissue(spec, width_px=320, height_px=256, mpp=MPP, rng=np.random.default_rng(seed)).rgb for seed in (1, 2)
    ]


def nuclei_of(pictures: list[np.ndarray], device: str, precision: str = "float32") -> list[np.ndarray]:
    params = NucleiParams(runtime="torch", precision=precision, threads=1)  # type: ignore[arg-type]
    segmenter = open_cpnet(resolve_weights(SHIPPED_WEIGHTS), params, device=device)
    return [np.asarray(labels) for labels in segmenter.segment(pictures, MPP, estimate_stain_scale(pictures))]


@pytest.fixture(scope="module")
def of_the_processor(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return nuclei_of(pictures, "cpu")


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_nuclei_are_those_of_the_processor(
    precision: str, device: torch.device, pictures: list[np.ndarray], of_the_processor: list[np.ndarray]
) -> None:
    found = nuclei_of(pictures, device.type, precision if device.type == "cuda" else "float32")
    for labels, expected in zip(found, of_the_processor, strict=True):
        assert expected.max() > 20
        assert match_nuclei(labels, expected, 0.5).average_precision >= AGREEMENT


@pytest.fixture
def little_memory(device: torch.device) -> Iterator[None]:
    """A card that lends MIB_LENT; on the processor nothing changes."""
    if device.type == "cpu":
        yield
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(MIB_LENT * 2**20 / total, device)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, device)
    torch.cuda.empty_cache()


def test_a_batch_that_does_not_fit_is_halved_and_says_the_same(
    device: torch.device, little_memory: None, caplog: pytest.LogCaptureFixture
) -> None:
    network = FoldedNetwork(fold(load_weights(resolve_weights(SHIPPED_WEIGHTS))))
    n, side = (16, 512) if device.type == "cuda" else (3, 64)
    inputs = torch.rand(n, 2, side, side, generator=torch.Generator().manual_seed(0))
    with caplog.at_level(logging.WARNING, logger="abignet.nuclei"):
        few = TorchRuntime(network, device)(inputs[:2]).cpu()
        every = TorchRuntime(network, device)(inputs).cpu()
    assert torch.isfinite(every).all()
    if device.type == "cuda":
        assert any("out of memory" in record.getMessage() for record in caplog.records)
    torch.testing.assert_close(every[:2], few, atol=1e-3, rtol=1e-3)
