import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import DeviceError
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import Weights

CPU = torch.device("cpu")


class Noting(nn.Module):
    """Adds one, and notes the images of each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.passes.append(len(x))
        return x + 1


def test_a_pass_has_so_many_images_at_most() -> None:
    network, inputs = Noting(), torch.rand(3, 2, 8, 8)
    assert torch.equal(TorchRuntime(network, CPU, images_per_pass=2)(inputs.numpy()), inputs + 1)
    assert network.passes == [2, 1]


def test_half_precision_is_for_cards() -> None:
    with pytest.raises(DeviceError, match="float16 needs a CUDA device, found cpu"):
        TorchRuntime(Noting(), CPU, precision="float16")


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
