"""CPnet rearranged for inference: fewer operations, the same result but for rounding.

CPnet (Stringer et al. 2021; ``cellpose.resnet_torch`` 3.1) is made of BatchNorm, ReLU and
convolution in this order.  Here

* a BatchNorm whose input is one convolution's output alone is folded into that convolution,
* one ahead of a 1 x 1 projection is folded into the projection,
* nearest upsampling by 2 and the 3 x 3 convolution after it are one transposed convolution
  with a 4 x 4 kernel, which takes 4 products per pixel and channel instead of 9, and
* projections are computed before upsampling.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class FoldedNetwork(nn.Module):
    """Inference of a CPnet.

    Parameters
    ----------
    network
        CPnet in evaluation mode, float32; its tensors are copied.

    Shapes
    ------
    Input (n, 2, h, w), sides multiples of 8; output (n, 3, h, w): flow along y, flow along x,
    logit.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        ups = list(network.upsample.up)
        self.style_on = bool(network.style_on)
        self.down = nn.ModuleList([_Down(block) for block in network.downsample.down])
        self.up = nn.ModuleList(
            [_Up(block, upsampled=level < len(ups) - 1, style_on=self.style_on) for level, block in enumerate(ups)]
        )
        self.act = _activation(network.output[0])
        self.output = _copied(network.output[2])
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Flows and logits of ``x``."""
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        style = _style(x) if self.style_on else None
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(x, skip, style)
        result: Tensor = self.output(self.act(x))
        return result


class _Down(nn.Module):
    def __init__(self, block: Any) -> None:
        super().__init__()
        first, second, third, fourth = block.conv
        self.proj = _after_norm(*block.proj)
        self.act_0, self.conv_0 = _activation(first[0]), _before_norm(first[2], second[0])
        self.conv_1 = _copied(second[2])
        self.act_2, self.conv_2 = _activation(third[0]), _before_norm(third[2], fourth[0])
        self.conv_3 = _copied(fourth[2])

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_1(functional.relu_(self.conv_0(self.act_0(x))))
        y += self.proj(x)
        z: Tensor = self.conv_3(functional.relu_(self.conv_2(self.act_2(y))))
        z += y
        return z


class _Up(nn.Module):
    """The style's share of each activation is constant without style vector and folded then."""

    def __init__(self, block: Any, *, upsampled: bool, style_on: bool) -> None:
        super().__init__()
        first, second, third, fourth = block.conv
        self.upsampled, self.style_on = upsampled, style_on
        self.proj = _after_norm(*block.proj)
        conv_0 = _before_norm(first[2], second.conv[0])
        self.act_0, self.conv_1 = _activation(first[0]), _copied(second.conv[2])
        self.act_2, self.conv_2 = _activation(third.conv[0]), _before_norm(third.conv[2], fourth.conv[0])
        self.conv_3 = _copied(fourth.conv[2])
        self.scale_1, self.scale_3 = (_per_channel(_affine(norm)[0]) for norm in (second.conv[0], fourth.conv[0]))
        self.full = nn.ModuleList([_dense(part.full) for part in (second, third, fourth)])
        if not style_on:
            for conv, scale, full in ((conv_0, self.scale_1, second.full), (self.conv_2, self.scale_3, fourth.full)):
                _shift(conv, scale.flatten() * full.bias.data)
            # act_2 sees its input shifted.
            self.act_2[0].running_mean -= third.full.bias.data
        self.conv_0 = _upsampling(conv_0) if upsampled else conv_0

    def forward(self, x: Tensor, skip: Tensor, style: Tensor | None) -> Tensor:
        from_1, from_2, from_3 = (
            [full(style)[:, :, None, None] for full in self.full] if style is not None else [None] * 3
        )
        y = torch.addcmul(self.conv_0(self.act_0(x)), skip if from_1 is None else skip + from_1, self.scale_1)
        y = self.conv_1(functional.relu_(y))
        projected = self.proj(x)
        y += functional.interpolate(projected, scale_factor=2.0) if self.upsampled else projected
        inner = self.conv_2(self.act_2(y if from_2 is None else y + from_2))
        if from_3 is not None:
            inner = inner + self.scale_3 * from_3
        z: Tensor = self.conv_3(functional.relu_(inner))
        z += y
        return z


def _style(deepest: Tensor) -> Tensor:
    mean = deepest.mean((2, 3))
    return mean / torch.sqrt((mean**2).sum(1, keepdim=True))


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    """Scale and offset (C,) of a BatchNorm in evaluation mode."""
    scale = norm.weight.data / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias.data - norm.running_mean * scale


def _per_channel(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach().clone().view(1, -1, 1, 1))


def _copied(conv: Any) -> nn.Conv2d:
    return _conv(conv, conv.weight.data, conv.bias.data)


def _dense(full: Any) -> nn.Linear:
    copy = nn.Linear(full.in_features, full.out_features)
    copy.load_state_dict(full.state_dict())
    return copy


def _activation(norm: Any) -> nn.Sequential:
    copy = nn.BatchNorm2d(norm.num_features, eps=norm.eps)
    copy.load_state_dict(norm.state_dict())
    return nn.Sequential(copy, nn.ReLU(inplace=True))


def _before_norm(conv: Any, norm: Any) -> nn.Conv2d:
    scale, offset = _affine(norm)
    return _conv(conv, conv.weight.data * scale.view(-1, 1, 1, 1), conv.bias.data * scale + offset)


def _after_norm(norm: Any, conv: Any) -> nn.Conv2d:
    scale, offset = _affine(norm)
    weight = conv.weight.data
    return _conv(conv, weight * scale.view(1, -1, 1, 1), conv.bias.data + weight[:, :, 0, 0] @ offset)


def _shift(conv: Any, by: Tensor) -> None:
    conv.bias.data += by


def _conv(like: Any, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(like.in_channels, like.out_channels, like.kernel_size, padding=like.padding)
    conv.weight.data, conv.bias.data = weight.clone(), bias.clone()  # type: ignore[union-attr]
    return conv


def _upsampling(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Nearest upsampling by 2, then ``conv`` (3 x 3, padding 1), in one."""
    kernel = conv.weight.data.permute(1, 0, 2, 3).flip(2, 3)
    both = nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 4, stride=2, padding=1)
    shifted = [functional.pad(kernel, (left, 1 - left, top, 1 - top)) for left in (0, 1) for top in (0, 1)]
    both.weight.data = torch.stack(shifted).sum(0)
    if both.bias is not None and conv.bias is not None:
        both.bias.data = conv.bias.data.clone()
    return both
