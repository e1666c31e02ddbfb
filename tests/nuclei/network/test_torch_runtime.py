import logging

import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import DeviceError
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import Weights

CPU = torch.device("cpu")


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
