"""CPnet's tensors rearranged for inference: fewer operations, the same result but for rounding.

CPnet (Stringer et al. 2021; ``cellpose.resnet_torch`` 3.1) is made of BatchNorm, ReLU and
convolution in this order.  Here

* a BatchNorm whose input is one convolution's output alone is folded into that convolution,
* one ahead of a 1 x 1 projection is folded into the projection,
* nearest upsampling by 2 and the 3 x 3 convolution after it are one transposed convolution
  with a 4 x 4 kernel, which takes 4 products per pixel and channel instead of 9, and
* projections are computed before upsampling.

Kernels are (out, in, rows, columns), of a transposed convolution (in, out, rows, columns).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.arrays import Float32s
from pipeline.errors import WeightsError
from pipeline.nuclei.network.weights import Weights

State = Mapping[str, Float32s]

BATCH_NORM_EPS = 1e-5
"""Added to variances: of CPnet, and PyTorch's default."""

OUTPUTS = 3
"""Flow along y, flow along x (both times ``nucleus_flows.FLOW_FACTOR``), logit of being a nucleus."""


@dataclass(frozen=True)
class Conv:
    """Kernel and bias (out,) of a convolution or a dense layer (out, in)."""

    weight: Float32s
    bias: Float32s


@dataclass(frozen=True)
class Affine:
    """Scale and offset (C,) of each channel."""

    scale: Float32s
    offset: Float32s


@dataclass(frozen=True)
class Level:
    """A level of either path: y = conv_1(relu(conv_0(relu(act_0(x))))) + proj(x), and the same once more.

    Attributes
    ----------
    proj, act_0, conv_0, conv_1, act_2, conv_2, conv_3
        Its operations.
    """

    proj: Conv
    act_0: Affine
    conv_0: Conv
    conv_1: Conv
    act_2: Affine
    conv_2: Conv
    conv_3: Conv


@dataclass(frozen=True)
class UpLevel(Level):
    """A level of the path upwards.

    Attributes
    ----------
    upsampled
        Whether the level below has half the sides; ``conv_0`` is a transposed convolution then.
    scale_1, scale_3
        (C,), of what is added ahead of ``conv_1`` (skip and style) and of ``conv_3`` (style).
    styles
        Dense layers of the style vector ahead of ``conv_1``, ``act_2``, ``conv_3``; none without style.
    """

    upsampled: bool
    scale_1: Float32s
    scale_3: Float32s
    styles: tuple[Conv, ...]


@dataclass(frozen=True)
class Folded:
    """Inference of a CPnet: (n, 2, h, w), sides multiples of 2 for each pooling, to (n, 3, h, w).

    Attributes
    ----------
    down, up
        Levels from the finest to the coarsest.
    act, output
        The last operations.
    """

    down: tuple[Level, ...]
    up: tuple[UpLevel, ...]
    act: Affine
    output: Conv


def fold(weights: Weights) -> Folded:
    """Fold a CPnet.

    Raises
    ------
    WeightsError
        If the tensors do not fit the architecture.
    """
    n_levels = len(weights.channels) - 1
    _check(weights)
    levels = range(n_levels)
    return Folded(
        down=tuple(_down(weights.state, f"downsample.down.res_down_{level}") for level in levels),
        up=tuple(
            _up(weights.state, f"upsample.up.res_up_{level}", upsampled=level < n_levels - 1, style=weights.style)
            for level in levels
        ),
        act=_affine(weights.state, "output.0"),
        output=_conv(weights.state, "output.2"),
    )


def _down(state: State, name: str) -> Level:
    first, second, third, fourth = (f"{name}.conv.conv_{place}" for place in range(4))
    return Level(
        proj=_after_norm(state, f"{name}.proj.0", f"{name}.proj.1"),
        act_0=_affine(state, f"{first}.0"),
        conv_0=_before_norm(_conv(state, f"{first}.2"), _affine(state, f"{second}.0")),
        conv_1=_conv(state, f"{second}.2"),
        act_2=_affine(state, f"{third}.0"),
        conv_2=_before_norm(_conv(state, f"{third}.2"), _affine(state, f"{fourth}.0")),
        conv_3=_conv(state, f"{fourth}.2"),
    )


def _up(state: State, name: str, *, upsampled: bool, style: bool) -> UpLevel:
    first = f"{name}.conv.conv_0"
    second, third, fourth = (f"{name}.conv.conv_{place}.conv" for place in (1, 2, 3))
    full = tuple(_conv(state, f"{name}.conv.conv_{place}.full") for place in (1, 2, 3))
    norm_1, act_2, norm_3 = (_affine(state, f"{block}.0") for block in (second, third, fourth))
    conv_0 = _before_norm(_conv(state, f"{first}.2"), norm_1)
    conv_2 = _before_norm(_conv(state, f"{third}.2"), norm_3)
    if not style:
        # The dense layers of no style vector add their bias.
        conv_0 = Conv(conv_0.weight, conv_0.bias + norm_1.scale * full[0].bias)
        act_2 = Affine(act_2.scale, act_2.offset + act_2.scale * full[1].bias)
        conv_2 = Conv(conv_2.weight, conv_2.bias + norm_3.scale * full[2].bias)
    return UpLevel(
        proj=_after_norm(state, f"{name}.proj.0", f"{name}.proj.1"),
        act_0=_affine(state, f"{first}.0"),
        conv_0=_upsampling(conv_0) if upsampled else conv_0,
        conv_1=_conv(state, f"{second}.2"),
        act_2=act_2,
        conv_2=conv_2,
        conv_3=_conv(state, f"{fourth}.2"),
        upsampled=upsampled,
        scale_1=norm_1.scale,
        scale_3=norm_3.scale,
        styles=full if style else (),
    )


def _affine(state: State, norm: str) -> Affine:
    """A BatchNorm in evaluation mode."""
    scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + np.float32(BATCH_NORM_EPS))
    return Affine(scale, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)


def _conv(state: State, name: str) -> Conv:
    return Conv(state[f"{name}.weight"], state[f"{name}.bias"])


def _before_norm(conv: Conv, norm: Affine) -> Conv:
    return Conv(conv.weight * norm.scale[:, None, None, None], conv.bias * norm.scale + norm.offset)


def _after_norm(state: State, norm_name: str, conv_name: str) -> Conv:
    norm, conv = _affine(state, norm_name), _conv(state, conv_name)
    return Conv(conv.weight * norm.scale[None, :, None, None], conv.bias + conv.weight[:, :, 0, 0] @ norm.offset)


def _upsampling(conv: Conv) -> Conv:
    """Nearest upsampling by 2, then ``conv`` (3 x 3, padding 1), in one."""
    kernel = conv.weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    shifted = [np.pad(kernel, ((0, 0), (0, 0), (top, 1 - top), (left, 1 - left))) for left in (0, 1) for top in (0, 1)]
    return Conv(np.sum(shifted, axis=0, dtype=np.float32), conv.bias)


def _check(weights: Weights) -> None:
    for name, shape in _shapes(weights.channels).items():
        found = weights.state[name].shape if name in weights.state else "none"
        if found != shape:
            raise WeightsError(
                f"weights {weights.name}: the tensors do not fit a CPnet of channels {weights.channels}: "
                f"{name} should be {shape}, found {found}; the file is damaged or of another network."
            )


def _shapes(channels: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a CPnet that inference needs."""
    style, shapes = channels[-1], dict[str, tuple[int, ...]]()

    def add(norm: str, conv: str, n_in: int, n_out: int, side: int) -> None:
        shapes.update({f"{norm}.{part}": (n_in,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes.update({f"{conv}.weight": (n_out, n_in, side, side), f"{conv}.bias": (n_out,)})

    above = [*channels[1:], channels[-1]]
    for level, (n_in, n_out) in enumerate(pairwise(channels)):
        name = f"downsample.down.res_down_{level}"
        add(f"{name}.proj.0", f"{name}.proj.1", n_in, n_out, 1)
        for place in range(4):
            block = f"{name}.conv.conv_{place}"
            add(f"{block}.0", f"{block}.2", n_in if place == 0 else n_out, n_out, 3)
        name, n_in = f"upsample.up.res_up_{level}", above[level + 1]
        add(f"{name}.proj.0", f"{name}.proj.1", n_in, n_out, 1)
        add(f"{name}.conv.conv_0.0", f"{name}.conv.conv_0.2", n_in, n_out, 3)
        for place in (1, 2, 3):
            block = f"{name}.conv.conv_{place}"
            add(f"{block}.conv.0", f"{block}.conv.2", n_out, n_out, 3)
            shapes.update({f"{block}.full.weight": (n_out, style), f"{block}.full.bias": (n_out,)})
    add("output.0", "output.2", channels[1], OUTPUTS, 1)
    return shapes
