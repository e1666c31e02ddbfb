"""From H&E colours to the channels that networks see; arrays in, arrays out.

Optical density is ``-ln((I + 1) / 256)`` of 8-bit intensities, so that pure white is 0
and black is finite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pipeline.arrays import Float32s, Rgb

NetworkInput = Literal["haematoxylin_luminance", "haematoxylin"]
"""Channels that a network sees: scaled haematoxylin, and darkness or zeros."""

HED_VECTORS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical density of haematoxylin, eosin and DAB in red, green and blue (Ruifrok & Johnston 2001)."""

RGB_FROM_HED = (HED_VECTORS / np.linalg.norm(HED_VECTORS, axis=1, keepdims=True)).astype(np.float32)
HED_FROM_RGB = np.linalg.inv(RGB_FROM_HED.astype(np.float64)).astype(np.float32)

LUMINANCE = np.array([0.2125, 0.7154, 0.0721], dtype=np.float32)
"""Weights of red, green and blue in luminance (ITU-R BT.709)."""

MIN_STAIN_SPAN = 0.05
"""Guard: a field without stain is not stretched beyond this range of haematoxylin."""

_OPTICAL_DENSITY = -np.log((np.arange(256, dtype=np.float64) + 1) / 256).astype(np.float32)


@dataclass(frozen=True)
class StainScale:
    """Haematoxylin concentrations of a slide that become 0 and 1."""

    low: float
    high: float


def optical_density(rgb: Rgb) -> Float32s:
    """Optical density of each channel of ``rgb`` (..., 3)."""
    return np.asarray(_OPTICAL_DENSITY[rgb], np.float32)


def haematoxylin(rgb: Rgb) -> Float32s:
    """Concentration (...) of haematoxylin in ``rgb`` (..., 3), never below 0."""
    red, green, blue = (_OPTICAL_DENSITY * weight for weight in HED_FROM_RGB[:, 0])
    return np.asarray(np.maximum(red[rgb[..., 0]] + green[rgb[..., 1]] + blue[rgb[..., 2]], 0), np.float32)


def darkness(rgb: Rgb) -> Float32s:
    """One minus luminance, 0 (white) to 1 (black)."""
    return 1 - (rgb @ LUMINANCE) / 255


def estimate_stain_scale(
    samples: Sequence[Rgb], *, low_percentile: float = 1.0, high_percentile: float = 99.0
) -> StainScale:
    """Percentiles of haematoxylin over all pixels of ``samples``, at least ``MIN_STAIN_SPAN`` apart.

    Without any pixel the scale is that of an unstained field.
    """
    if not any(sample.size for sample in samples):
        return StainScale(0.0, 1.0)
    pooled = np.concatenate([haematoxylin(sample).ravel() for sample in samples])
    low, high = (float(value) for value in np.percentile(pooled, (low_percentile, high_percentile)))
    return StainScale(low, max(high, low + MIN_STAIN_SPAN))


def network_input(rgb: Rgb, scale: StainScale, kind: NetworkInput) -> Float32s:
    """Channels (2, h, w) that a network was trained on.

    Parameters
    ----------
    rgb
        (h, w, 3).
    scale
        The slide's stain scale.
    kind
        ``haematoxylin_luminance``: scaled haematoxylin and darkness;
        ``haematoxylin``: scaled haematoxylin and zeros.

    Raises
    ------
    ValueError
        If ``kind`` is another.
    """
    if kind not in get_args(NetworkInput):
        raise ValueError(f"kind: expected {' or '.join(get_args(NetworkInput))}, found {kind!r}")
    stain = (haematoxylin(rgb) - scale.low) / (scale.high - scale.low)
    second = darkness(rgb) if kind == "haematoxylin_luminance" else np.zeros_like(stain)
    return np.asarray(np.stack([stain, second]), np.float32)
