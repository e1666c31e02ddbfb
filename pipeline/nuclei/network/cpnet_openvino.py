"""A folded CPnet on OpenVINO, without torch.

Frame: network pixels; images are (n, channels, row, col).
"""

from typing import Any

import numpy as np
from openvino import Model
from openvino import opset13 as ops

from pipeline.arrays import Float32s
from pipeline.nuclei.network.cpnet_folding import Affine, Conv, Folded, Level, UpLevel


def openvino_model(folded: Folded) -> Model:
    """Model of one image (1, 2, h, w) of any h and w that are multiples of 8, to (1, 3, h, w)."""
    image = ops.parameter([1, folded.down[0].proj.weight.shape[1], -1, -1], np.float32)
    x, skips = image, []
    for number, level in enumerate(folded.down):
        x = _down(level, _halved(x) if number else x)
        skips.append(x)
    style = _style(x) if folded.up[0].styles else None
    for level, skip in zip(reversed(folded.up), reversed(skips), strict=True):
        x = _up(level, x, skip, style)
    return Model([_conv(folded.output, _activation(folded.act, x))], [image], "CPnet")


def _down(level: Level, x: Any) -> Any:
    y = _conv(level.conv_1, ops.relu(_conv(level.conv_0, _activation(level.act_0, x))))
    y = ops.add(y, _conv(level.proj, x))
    inner = _conv(level.conv_2, _activation(level.act_2, y))
    return ops.add(_conv(level.conv_3, ops.relu(inner)), y)


def _up(level: UpLevel, x: Any, skip: Any, style: Any) -> Any:
    from_1, from_2, from_3 = (
        [_conv(_as_1x1(dense), style) for dense in level.styles] if style is not None else [None] * 3
    )
    added = ops.multiply(skip if from_1 is None else ops.add(skip, from_1), _per_channel(level.scale_1))
    inner = _activation(level.act_0, x)
    y = ops.add(_transposed(level.conv_0, inner) if level.upsampled else _conv(level.conv_0, inner), added)
    projected = _conv(level.proj, x)
    y = ops.add(_conv(level.conv_1, ops.relu(y)), _doubled(projected) if level.upsampled else projected)
    inner = _conv(level.conv_2, _activation(level.act_2, y if from_2 is None else ops.add(y, from_2)))
    if from_3 is not None:
        inner = ops.add(inner, ops.multiply(from_3, _per_channel(level.scale_3)))
    return ops.add(_conv(level.conv_3, ops.relu(inner)), y)


def _style(deepest: Any) -> Any:
    mean = ops.reduce_mean(deepest, np.array([2, 3]), keep_dims=True)
    return ops.divide(mean, ops.sqrt(ops.reduce_sum(ops.multiply(mean, mean), np.array([1]), keep_dims=True)))


def _per_channel(values: Float32s) -> Any:
    return ops.constant(np.ascontiguousarray(values.reshape(1, -1, 1, 1)))


def _activation(affine: Affine, x: Any) -> Any:
    return ops.relu(ops.add(ops.multiply(x, _per_channel(affine.scale)), _per_channel(affine.offset)))


def _as_1x1(dense: Conv) -> Conv:
    return Conv(dense.weight[:, :, None, None], dense.bias)


def _conv(conv: Conv, x: Any) -> Any:
    rim = [conv.weight.shape[2] // 2] * 2
    kernel = ops.constant(np.ascontiguousarray(conv.weight))
    return ops.add(ops.convolution(x, kernel, [1, 1], rim, rim, [1, 1]), _per_channel(conv.bias))


def _transposed(conv: Conv, x: Any) -> Any:
    kernel = ops.constant(np.ascontiguousarray(conv.weight))
    both = ops.convolution_backprop_data(x, kernel, [2, 2], pads_begin=[1, 1], pads_end=[1, 1])
    return ops.add(both, _per_channel(conv.bias))


def _halved(x: Any) -> Any:
    return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _doubled(x: Any) -> Any:
    """Nearest upsampling by 2."""
    factors, axes = np.array([2, 2], np.float32), np.array([2, 3])
    return ops.interpolate(
        x, factors, "nearest", "scales", axes=axes, coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
