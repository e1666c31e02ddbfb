import importlib.util
import logging

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import DeviceError
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.network_runtime import OpenVinoRuntime, open_runtime
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import Weights

CPU = torch.device("cpu")
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


class Cramped(nn.Module):
    """Adds one, and has memory for two images."""

    room = 2

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.room:
            raise torch.OutOfMemoryError("no room")
        self.passes.append(len(x))
        return x + 1


def test_batches_are_halved_until_they_fit_and_stay_so(caplog: pytest.LogCaptureFixture) -> None:
    network = Cramped()
    runtime = TorchRuntime(network, CPU)
    inputs = torch.rand(7, 2, 8, 8)
    with caplog.at_level(logging.WARNING, logger="abignet.nuclei"):
        assert torch.equal(runtime(inputs), inputs + 1)
    assert [record.getMessage() for record in caplog.records] == [
        "cpu: out of memory with 7 images, now 3 a pass",
        "cpu: out of memory with 3 images, now 1 a pass",
    ]
    network.passes.clear()
    runtime(inputs[:3])
    assert network.passes == [1, 1, 1]


def test_no_room_for_one_image() -> None:
    network = Cramped()
    network.room = 0
    with pytest.raises(DeviceError, match="one image of 16 x 8 pixels; use smaller tiles"):
        TorchRuntime(network, CPU)(torch.rand(2, 2, 8, 16))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "float16"}, "float16 needs a CUDA device"),
        ({"runtime": "openvino", "precision": "float16"}, "openvino runs on the CPU in float32"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, str], message: str, tiny_weights: Weights) -> None:
    wanted = {"runtime": "torch", "precision": "float32", **settings}
    with pytest.raises(DeviceError, match=message):
        open_runtime(fold(tiny_weights), "cpu", threads=1, **wanted)  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("openvino") is not None, reason="OpenVINO is installed")
def test_openvino_that_is_not_there(tiny_weights: Weights) -> None:
    with pytest.raises(DeviceError, match="pip install openvino, or use torch"):
        OpenVinoRuntime(fold(tiny_weights), threads=1)


@needs_openvino
def test_openvino_gives_the_network_s_output(tiny_weights: Weights) -> None:
    network = FoldedNetwork(fold(tiny_weights))
    runtime = OpenVinoRuntime(fold(tiny_weights), threads=1)
    for shape in ((3, 2, 40, 56), (1, 2, 24, 24)):
        inputs = np.random.default_rng(0).random(shape, dtype=np.float32)
        output = runtime(inputs)
        assert output == pytest.approx(network(torch.from_numpy(inputs)).numpy(), abs=1e-4)
        assert np.array_equal(output, runtime(inputs))


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("float16", 0.1)])
def test_cuda_gives_the_processor_s_output(precision: str, tolerance: float, tiny_weights: Weights) -> None:
    inputs = torch.rand(3, 2, 64, 48)
    network = FoldedNetwork(fold(tiny_weights))
    expected = network(inputs)
    runtime = TorchRuntime(network, torch.device("cuda"), precision=precision)  # type: ignore[arg-type]
    output = runtime(inputs)
    assert output.is_cuda
    assert output.dtype == torch.float32
    assert output.cpu().numpy() == pytest.approx(expected.numpy(), abs=tolerance * float(expected.abs().max()))
