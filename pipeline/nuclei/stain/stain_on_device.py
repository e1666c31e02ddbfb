"""``stain_channels.network_input`` by torch, for the images of a batch at once.

Frame: images are (n, row, col, channel), what a network sees (n, channel, row, col).
"""

import torch
from torch import Tensor

from pipeline.nuclei.stain.stain_channels import (
    HED_FROM_RGB,
    LUMINANCE,
    NetworkInput,
    StainScale,
)


def network_input_on_device(rgbs: Tensor, scale: StainScale, kind: NetworkInput) -> Tensor:
    """Channels (n, 2, h, w), float32, of uint8 ``rgbs`` (n, h, w, 3); see ``stain_channels.network_input``."""
    intensities = torch.arange(256, dtype=torch.float64, device=rgbs.device)
    density = -torch.log((intensities + 1) / 256).float()
    of_each = density.index_select(0, rgbs.reshape(-1).int()).view(rgbs.shape)
    stain = _weighted(of_each, HED_FROM_RGB[:, 0].tolist()).clamp_(min=0)
    stain = (stain - scale.low) / (scale.high - scale.low)
    if kind == "haematoxylin":
        return torch.stack([stain, torch.zeros_like(stain)], dim=1)
    return torch.stack([stain, 1 - _weighted(rgbs.float(), LUMINANCE.tolist()) / 255], dim=1)


def _weighted(channels: Tensor, weights: list[float]) -> Tensor:
    """Sum (...) of three channels (..., 3); no matrix product, whose precision a card's settings decide."""
    red, green, blue = channels.unbind(-1)
    return red * weights[0] + green * weights[1] + blue * weights[2]
