"""CPnet on torch, for training and for comparison: the one file of this room that imports cellpose 3.

Frame: network pixels, arrays (row, col).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from cellpose.resnet_torch import CPnet
from torch import Tensor

from pipeline.errors import WeightsError
from pipeline.nuclei.network.cpnet_folding import OUTPUTS
from pipeline.nuclei.network.inference_engine import forward_whole
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.stain.stain_channels import Floats

KERNEL_PX = 3


def build_network(channels: Sequence[int], *, style: bool) -> CPnet:
    """CPnet with random weights (Stringer et al. 2021), channels last.

    Parameters
    ----------
    channels
        Of the input and of each level.
    style
        Whether the mean over the field of view is fed back (cellpose's style vector).
    """
    network = CPnet(list(channels), OUTPUTS, KERNEL_PX)
    network.style_on = style
    return network.to(memory_format=torch.channels_last)


def load_network(weights: Weights, device: torch.device) -> CPnet:
    """Network with ``weights`` for inference on ``device``.

    Raises
    ------
    WeightsError
        If the tensors do not fit the architecture.
    """
    network = build_network(weights.channels, style=weights.style)
    try:
        network.load_state_dict({name: torch.from_numpy(values) for name, values in weights.state.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"weights {weights.name}: the tensors do not fit a CPnet of channels {weights.channels} ({error})."
        ) from error
    return network.eval().to(device)


def forward(network: CPnet, inputs: Floats, device: torch.device) -> Floats:
    """Network output (n, 3, h, w) for inputs (n, 2, h, w) of any h and w; edges are mirrored to the stride."""
    runtime = TorchRuntime(_FirstOutput(network), device)
    result: Floats = torch.as_tensor(forward_whole(runtime, inputs)).cpu().numpy()
    return result


def state_of(network: CPnet) -> dict[str, npt.NDArray[Any]]:
    """Copies of a network's tensors by name, as ``Weights`` hold them."""
    return {name: np.array(tensor.cpu()) for name, tensor in network.state_dict().items()}


class _FirstOutput(torch.nn.Module):
    """A CPnet without its style vector and features."""

    def __init__(self, network: CPnet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.network(x)[0]
        return output
