"""The painting of single nuclei: outline, chromatin, rim, nucleolus.

Frame: pixels of the picture, origin top-left, y down; shapes come in micrometres.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s, Int32s
from pipeline.synthetic.painting.texture import Canvas, FloatPlane, smooth_noise

LOBES = (3, 4, 5)
"""Waves around an outline.  One and two are left out: they would shift the centre or turn the axis."""


@dataclass(frozen=True)
class Stain:
    """Strength and hue of the two stains.

    Attributes
    ----------
    haematoxylin, haematoxylin_cv
        Mean optical density (natural logarithm) of nuclei and its variation between them.
    eosin
        Optical density of stroma.
    basophilia
        Haematoxylin of the cytoplasm.
    tilt
        Hue, 0 (Ruifrok's stain vectors, cool) to 1 (Macenko's, warm).
    chromatin, vesicular, irregular
        Contrast of chromatin grain; share of pale nuclei with a rim and a nucleolus; relative
        amplitude of the outline's waves.
    translucency
        Share of a nucleus' density that adds to that of another one above or below it, 0 to 1.
    """

    haematoxylin: float = 1.5
    haematoxylin_cv: float = 0.18
    eosin: float = 0.62
    basophilia: float = 0.3
    tilt: float = 0.55
    chromatin: float = 0.16
    vesicular: float = 0.3
    irregular: float = 0.05
    translucency: float = 0.0

    @classmethod
    def random(cls, rng: np.random.Generator) -> Self:
        """Draw a stain from the breadth of laboratories and scanners."""
        return cls(
            haematoxylin=float(rng.uniform(0.8, 2.3)),
            haematoxylin_cv=float(rng.uniform(0.08, 0.35)),
            eosin=float(rng.uniform(0.15, 0.95)),
            basophilia=float(rng.uniform(0.05, 0.6)),
            tilt=float(rng.uniform(0.0, 0.9)),
            chromatin=float(rng.uniform(0.05, 0.3)),
            vesicular=float(rng.uniform(0.0, 0.9)),
            irregular=float(rng.uniform(0.0, 0.07)),
        )


@dataclass(frozen=True)
class StampedNuclei:
    """Planes (height_px, width_px): labels int32, coverage float32 in [0, 1], haematoxylin float32."""

    labels: Int32s
    coverage: FloatPlane
    haematoxylin: FloatPlane


def stamp_nuclei(nuclei_um: pd.DataFrame, stain: Stain, canvas: Canvas, rng: np.random.Generator) -> StampedNuclei:
    """Paint the optical density of nuclei.

    Parameters
    ----------
    nuclei_um
        Columns x_um, y_um, major_um, minor_um, orientation_rad; row k gets label k + 1.
        Where two overlap the earlier row lies on top.
    """
    size = (canvas.height_px, canvas.width_px)
    planes = StampedNuclei(np.zeros(size, np.int32), np.zeros(size, np.float32), np.zeros(size, np.float32))
    grain = 0.7 * smooth_noise(canvas, 1.3, rng) + 0.7 * smooth_noise(canvas, 0.6, rng)
    geometry = nuclei_um[["x_um", "y_um", "major_um", "minor_um", "orientation_rad"]].to_numpy(np.float64)
    geometry[:, :4] /= canvas.mpp
    looks = _draw_looks(len(geometry), stain, rng)
    for label, (place, look) in enumerate(zip(geometry, looks, strict=True), start=1):
        _stamp(planes, label, place, look, stain, grain)
    return planes


def _draw_looks(count: int, stain: Stain, rng: np.random.Generator) -> Float64s:
    """Per nucleus: density, vesicularity, softness, nucleolus (u, v), amplitudes and phases of the lobes."""
    density = stain.haematoxylin * np.exp(stain.haematoxylin_cv * rng.standard_normal(count))
    vesicular = np.where(rng.random(count) < stain.vesicular, rng.uniform(0.5, 1.0, count), rng.uniform(0, 0.25, count))
    softness = rng.uniform(0.8, 2.2, count)
    nucleolus = rng.uniform(-0.45, 0.45, (count, 2))
    amplitude = stain.irregular * np.clip(np.abs(rng.standard_normal((count, len(LOBES)))), 0, 2) / np.sqrt(len(LOBES))
    phase = rng.uniform(0.0, 2 * np.pi, (count, len(LOBES)))
    return np.column_stack([density, vesicular, softness, nucleolus, amplitude, phase])


def _stamp(
    planes: StampedNuclei,
    label: int,
    place: Float64s,
    look: Float64s,
    stain: Stain,
    grain: FloatPlane,
) -> None:
    window = _window(place, planes.labels.shape)
    if window is None:
        return
    u, v, rho = _polar(window, place, look)
    radius_px = float(np.sqrt(place[2] * place[3])) / 2
    cover = np.clip((1.0 - rho) * radius_px / look[2] + 0.5, 0.0, 1.0)
    density = look[0] * _profile(u, v, rho, look) * np.clip(1.0 + stain.chromatin * grain[window], 0.3, None)
    fresh = cover > planes.coverage[window]
    under = planes.haematoxylin[window]
    shown = np.float32(stain.translucency)
    planes.haematoxylin[window] = np.where(
        fresh, density + shown * planes.coverage[window] * under, under + shown * cover * density
    )
    planes.coverage[window] = np.maximum(cover, planes.coverage[window])
    own = (rho <= 1.0) & (planes.labels[window] == 0)
    planes.labels[window][own] = label


def _window(place: Float64s, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns about a nucleus, within the picture; None when it lies wholly outside."""
    reach = place[2] / 2 * 1.25 + 3.0
    x0, x1 = max(int(place[0] - reach), 0), min(int(place[0] + reach) + 1, shape[1])
    y0, y1 = max(int(place[1] - reach), 0), min(int(place[1] + reach) + 1, shape[0])
    return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))


def _polar(window: tuple[slice, slice], place: Float64s, look: Float64s) -> tuple[FloatPlane, FloatPlane, FloatPlane]:
    """Coordinates along the axes in units of the half axes, and the distance that is 1 on the outline."""
    dx = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] + 0.5 - np.float32(place[0])
    dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] + 0.5 - np.float32(place[1])
    cos, sin = np.float32(np.cos(place[4])), np.float32(np.sin(place[4]))
    u = (dx * cos + dy * sin) / np.float32(place[2] / 2)
    v = (dy * cos - dx * sin) / np.float32(place[3] / 2)
    angle = np.arctan2(v, u)
    outline = np.ones_like(u)
    n_lobes = len(LOBES)
    for lobe, amplitude, phase in zip(LOBES, look[5 : 5 + n_lobes], look[5 + n_lobes :], strict=True):
        outline += np.float32(amplitude) * np.cos(lobe * angle + np.float32(phase))
    return u, v, np.hypot(u, v) / outline


def _profile(u: FloatPlane, v: FloatPlane, rho: FloatPlane, look: Float64s) -> FloatPlane:
    """Relative density within a nucleus: even when dense, pale with rim and nucleolus when vesicular."""
    vesicular = np.float32(look[1])
    rim = np.exp(-(((rho - 0.92) / 0.14) ** 2))
    nucleolus = np.exp(-((u - look[3]) ** 2 + (v - look[4]) ** 2) / 0.045)
    return np.asarray(1.0 - 0.5 * vesicular + (0.12 + 0.4 * vesicular) * rim + 0.5 * vesicular * nucleolus, np.float32)
