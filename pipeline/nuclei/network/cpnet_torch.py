"""A folded CPnet on torch."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.arrays import Float32s
from pipeline.nuclei.network.cpnet_folding import Affine, Conv, Folded, Level, UpLevel


class FoldedNetwork(nn.Module):
    """Inference of a CPnet, channels last.

    Shapes
    ------
    Input (n, 2, h, w), sides multiples of 8; output (n, 3, h, w): flow along y, flow along x,
    logit.
    """

    def __init__(self, folded: Folded) -> None:
        super().__init__()
        self.down = nn.ModuleList([_Down(level) for level in folded.down])
        self.up = nn.ModuleList([_Up(level) for level in folded.up])
        self.style_on = any(level.styles for level in folded.up)
        self.act = _activation(folded.act)
        self.output = _conv(folded.output)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Flows and logits (n, 3, h, w) of ``x`` (n, 2, h, w); see ``cpnet_folding.Folded``."""
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
    """A level of the path downwards; see ``cpnet_folding.Level``."""

    def __init__(self, level: Level) -> None:
        super().__init__()
        self.proj = _conv(level.proj)
        self.act_0, self.conv_0, self.conv_1 = _activation(level.act_0), _conv(level.conv_0), _conv(level.conv_1)
        self.act_2, self.conv_2, self.conv_3 = _activation(level.act_2), _conv(level.conv_2), _conv(level.conv_3)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_out, h, w) of ``x`` (n, c_in, h, w)."""
        y = self.conv_1(functional.relu_(self.conv_0(self.act_0(x))))
        y += self.proj(x)
        z: Tensor = self.conv_3(functional.relu_(self.conv_2(self.act_2(y))))
        z += y
        return z


class _Up(nn.Module):
    """A level of the path upwards; see ``cpnet_folding.UpLevel``."""

    def __init__(self, level: UpLevel) -> None:
        super().__init__()
        self.upsampled = level.upsampled
        self.proj = _conv(level.proj)
        self.act_0, self.conv_1 = _activation(level.act_0), _conv(level.conv_1)
        self.conv_0 = _transposed(level.conv_0) if level.upsampled else _conv(level.conv_0)
        self.act_2, self.conv_2, self.conv_3 = _activation(level.act_2), _conv(level.conv_2), _conv(level.conv_3)
        self.scale_1, self.scale_3 = _per_channel(level.scale_1), _per_channel(level.scale_3)
        self.full = nn.ModuleList([_dense(dense) for dense in level.styles])

    def forward(self, x: Tensor, skip: Tensor, style: Tensor | None) -> Tensor:
        """(n, c_out, h, w) of ``skip`` (n, c_out, h, w), the level below ``x`` and the style (n, s), if it has one."""
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


def _tensor(values: Float32s) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.copy()), requires_grad=False)


def _per_channel(values: Float32s) -> nn.Parameter:
    return _tensor(values.reshape(1, -1, 1, 1))


def _conv(folded: Conv) -> nn.Conv2d:
    n_out, n_in, side, _ = folded.weight.shape
    conv = nn.Conv2d(n_in, n_out, side, padding=side // 2)
    conv.weight, conv.bias = _tensor(folded.weight), _tensor(folded.bias)
    return conv


def _transposed(folded: Conv) -> nn.ConvTranspose2d:
    n_in, n_out, side, _ = folded.weight.shape
    conv = nn.ConvTranspose2d(n_in, n_out, side, stride=2, padding=1)
    conv.weight, conv.bias = _tensor(folded.weight), _tensor(folded.bias)
    return conv


def _dense(folded: Conv) -> nn.Linear:
    dense = nn.Linear(folded.weight.shape[1], folded.weight.shape[0])
    dense.weight, dense.bias = _tensor(folded.weight), _tensor(folded.bias)
    return dense


def _activation(affine: Affine) -> nn.Sequential:
    norm = nn.BatchNorm2d(len(affine.scale), eps=0.0)
    norm.weight, norm.bias = _tensor(affine.scale), _tensor(affine.offset)
    return nn.Sequential(norm, nn.ReLU(inplace=True))
