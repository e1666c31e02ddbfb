"""Networks that were never trained."""

import torch

from pipeline.nuclei.learning.cellpose_cpnet import build_network, state_of
from pipeline.nuclei.network.weights import Weights


def random_weights(channels: tuple[int, ...], *, style: bool, seed: int = 0) -> Weights:
    """A CPnet of so many channels a level with random tensors."""
    torch.manual_seed(seed)
    state = state_of(build_network(channels, style=style))
    stain = "haematoxylin" if style else "haematoxylin_luminance"
    return Weights("random", "0" * 16, state, channels, stain, 16.0, style, "none", {})
