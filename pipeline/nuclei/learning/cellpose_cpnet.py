"""CPnet as cellpose 3 defines it, for training: the one file of this room that imports cellpose 3."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from cellpose.resnet_torch import CPnet

from pipeline.errors import WeightsError
from pipeline.nuclei.network.cpnet_folding import OUTPUTS
from pipeline.nuclei.network.weights import Weights

KERNEL_PX = 3
"""Side of the kernels of convolutions, as in Cellpose."""


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


def state_of(network: torch.nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Copies of a network's tensors by name, as ``Weights`` hold them."""
    return {name: np.array(tensor.cpu()) for name, tensor in network.state_dict().items()}
