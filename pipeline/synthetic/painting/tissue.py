"""H&E-like tissue with every nucleus known.

Optical densities of haematoxylin and eosin are painted apart and mixed by the law of
Beer and Lambert.  All lengths are micrometres, so a picture painted at another mpp shows
the same tissue.  Frame: pixels of the picture, origin top-left, y down.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter
from scipy import ndimage

from pipeline.arrays import Bools, Int32s, Rgb
from pipeline.synthetic.painting.nucleus import Stain, stamp_nuclei
from pipeline.synthetic.painting.placement import NucleusShape, TissueLayout, place_nuclei
from pipeline.synthetic.painting.texture import Canvas, FloatPlane, enlarge, ridges, smooth_noise

RUIFROK_HAEMATOXYLIN = (0.650, 0.704, 0.286)
RUIFROK_EOSIN = (0.072, 0.990, 0.105)
"""Ruifrok and Johnston 2001, optical density of the pure stains in red, green, blue."""

MACENKO_HAEMATOXYLIN = (0.563, 0.720, 0.406)
MACENKO_EOSIN = (0.216, 0.801, 0.558)
"""Macenko et al. 2009, the same for another laboratory's stains; not used pure here."""

WHITE = (243.0, 242.0, 244.0)
"""Glass under a scanner's lamp."""

EDGE_UM = 5.0
"""Rounding of the tissue's border."""

LAYOUT_CELL_UM = 4.0
"""Cell of a layout made here: finer than a nucleus."""


@dataclass(frozen=True)
class TissueSpec:
    """What a piece of tissue looks like.

    Attributes
    ----------
    nuclei_per_mm2
        Mean density on tissue.
    clustering
        SD of the logarithm of the local density; 0 is even.
    shape
        Sizes and forms of nuclei.
    axis_rad, kappa
        Mean axis in [0, pi) and axial concentration (0 = every direction alike).
    axis_wander_rad, axis_wave_um
        SD of the axis' slow change over the picture, and the distance over which it changes.
    stain
        Strength and hue of the two stains.
    margin_um
        Width of the white border; 0 fills the picture with tissue.
    lumen_fraction, lumen_um
        Share of the tissue that is white openings, and their size.
    fibre, fibre_stretch
        Contrast of the stroma's fibres, and how many times longer than thick they are,
        along ``axis_rad``.
    blur_um, noise
        Gaussian blur of the optics; SD of the sensor's noise in grey levels of 0 to 255.
    """

    nuclei_per_mm2: float = 3000.0
    clustering: float = 0.4
    shape: NucleusShape = field(default_factory=NucleusShape)
    axis_rad: float = 0.0
    kappa: float = 0.0
    axis_wander_rad: float = 0.0
    axis_wave_um: float = 200.0
    stain: Stain = field(default_factory=Stain)
    margin_um: float = 0.0
    lumen_fraction: float = 0.0
    lumen_um: float = 50.0
    fibre: float = 0.5
    fibre_stretch: float = 1.0
    blur_um: float = 0.3
    noise: float = 2.5


@dataclass(frozen=True)
class PaintedTissue:
    """A picture and its truth.

    Attributes
    ----------
    rgb
        uint8 (height_px, width_px, 3).
    labels
        int32 (height_px, width_px), 0 background, k the nucleus in row k - 1 of ``nuclei``.
    nuclei
        Columns x, y (centre in pixels), major, minor (full axes in pixels), orientation_rad
        in [0, pi) from +x towards +y.  A nucleus hidden by others or beyond the border may
        have no pixel of its label.
    """

    rgb: Rgb
    labels: Int32s
    nuclei: pd.DataFrame


def paint_tissue(
    spec: TissueSpec,
    *,
    width_px: int,
    height_px: int,
    mpp: float,
    rng: np.random.Generator,
    layout: TissueLayout | None = None,
) -> PaintedTissue:
    """Paint tissue as ``spec`` describes it.

    Parameters
    ----------
    mpp
        um per pixel of the picture.
    layout
        Where tissue is and which way nuclei point; overrides the spec's margin, lumina,
        axis and kappa.  None makes it from the spec.
    """
    canvas = Canvas(width_px, height_px, mpp)
    layout = layout_from_spec(spec, canvas, rng) if layout is None else layout
    nuclei_um = place_nuclei(
        layout,
        spec.shape,
        nuclei_per_mm2=spec.nuclei_per_mm2,
        clustering=spec.clustering,
        extent_um=(canvas.width_um, canvas.height_um),
        rng=rng,
    )
    return paint_placed_nuclei(nuclei_um, layout, spec, canvas, rng)


def paint_placed_nuclei(
    nuclei_um: pd.DataFrame, layout: TissueLayout, spec: TissueSpec, canvas: Canvas, rng: np.random.Generator
) -> PaintedTissue:
    """Paint nuclei that have their places, columns of ``place_nuclei``, and the tissue about them."""
    tissue = soft_tissue(layout, canvas, rng)
    eosin = paint_eosin(spec, tissue, canvas, rng)
    painted = stamp_nuclei(nuclei_um, spec.stain, canvas, rng)
    haematoxylin = paint_cytoplasm(painted.labels, spec, tissue, canvas, rng)
    haematoxylin += painted.coverage * (painted.haematoxylin - haematoxylin)
    eosin *= 1.0 - 0.55 * painted.coverage
    rgb = develop(haematoxylin, eosin, spec, canvas, rng)
    return PaintedTissue(rgb, painted.labels, in_pixels(nuclei_um, canvas.mpp))


def layout_from_spec(spec: TissueSpec, canvas: Canvas, rng: np.random.Generator) -> TissueLayout:
    """Layout of the spec's margin, lumina and axis on cells of ``LAYOUT_CELL_UM``."""
    cols, rows = (math.ceil(round(size / LAYOUT_CELL_UM, 6)) for size in (canvas.width_um, canvas.height_um))
    cells = Canvas(cols, rows, LAYOUT_CELL_UM)
    tissue = tissue_outline(cells, spec.margin_um, rng)
    if spec.lumen_fraction > 0:
        openings = smooth_noise(cells, spec.lumen_um, rng)
        tissue &= openings < np.quantile(openings, 1.0 - spec.lumen_fraction)
    wander = spec.axis_wander_rad * smooth_noise(cells, spec.axis_wave_um, rng)
    axis = np.mod(spec.axis_rad + wander.astype(np.float64), np.pi)
    return TissueLayout(LAYOUT_CELL_UM, tissue, axis, np.full(axis.shape, spec.kappa))


def tissue_outline(cells: Canvas, margin_um: float, rng: np.random.Generator) -> Bools:
    """Rounded rectangle with a wavy border, ``margin_um`` within the picture, bool (rows, cols)."""
    if margin_um <= 0:
        return np.ones((cells.height_px, cells.width_px), bool)
    wave = 0.35 * margin_um * smooth_noise(cells, 120.0, rng) + 0.1 * margin_um * smooth_noise(cells, 30.0, rng)
    y, x = np.indices((cells.height_px, cells.width_px)) + 0.5
    half = np.array([cells.width_um, cells.height_um]) / 2
    radius = 0.45 * float(half.min())
    beyond_x = np.maximum(np.abs(x * cells.mpp - half[0]) - half[0] + radius, 0.0)
    beyond_y = np.maximum(np.abs(y * cells.mpp - half[1]) - half[1] + radius, 0.0)
    inside_um = radius - np.hypot(beyond_x, beyond_y)
    return np.asarray(inside_um > margin_um + wave, np.bool_)


def random_spec(rng: np.random.Generator) -> TissueSpec:
    """Draw a spec from the breadth of real H&E: for training a network that segments nuclei."""
    shape = NucleusShape(
        major_um=float(rng.uniform(5.5, 12.0)),
        major_cv=float(rng.uniform(0.08, 0.3)),
        aspect=float(rng.uniform(0.42, 0.9)),
        aspect_sd=float(rng.uniform(0.04, 0.14)),
        gap_um=float(rng.uniform(-0.6, 1.5)),
    )
    covered = float(rng.uniform(0.04, 0.42))
    return TissueSpec(
        nuclei_per_mm2=covered * 1e6 / shape.area_um2,
        clustering=float(rng.uniform(0.0, 1.1)),
        shape=shape,
        axis_rad=float(rng.uniform(0.0, math.pi)),
        kappa=float(rng.choice([0.0, 1.0, 3.0, 8.0])),
        axis_wander_rad=float(rng.uniform(0.0, 1.0)),
        stain=Stain.random(rng),
        margin_um=float(rng.choice([0.0, 0.0, 10.0])),
        lumen_fraction=float(rng.choice([0.0, 0.1, 0.3]) * rng.random()),
        lumen_um=float(rng.uniform(20.0, 80.0)),
        fibre=float(rng.uniform(0.15, 0.9)),
        fibre_stretch=float(rng.choice([1.0, 3.0, 7.0])),
        blur_um=float(rng.uniform(0.1, 0.6)),
        noise=float(rng.uniform(0.5, 6.0)),
    )


def soft_tissue(layout: TissueLayout, canvas: Canvas, rng: np.random.Generator) -> FloatPlane:
    """Share of tissue in each pixel (height_px, width_px), with ragged borders."""
    smoothed = ndimage.gaussian_filter(layout.tissue.astype(np.float32), EDGE_UM / layout.cell_um, mode="nearest")
    body = enlarge(smoothed, layout.cell_um, canvas)
    ragged = body + 0.35 * body * (1.0 - body) * smooth_noise(canvas, 5.0, rng)
    return np.asarray(np.clip((ragged - 0.38) * 6.0, 0.0, 1.0), np.float32)


def paint_eosin(spec: TissueSpec, tissue: FloatPlane, canvas: Canvas, rng: np.random.Generator) -> FloatPlane:
    """Stroma and cytoplasm: slow unevenness, fibres at two scales, fine grain."""
    body = 0.72 + 0.12 * smooth_noise(canvas, 70.0, rng) + 0.09 * smooth_noise(canvas, 12.0, rng)
    axis = spec.axis_rad if spec.fibre_stretch > 1 else None
    for grain_um, weight, sharpness in ((14.0, 0.55, 2.5), (5.0, 0.45, 1.8)):
        noise = smooth_noise(canvas, grain_um, rng, axis_rad=axis, stretch=spec.fibre_stretch)
        body += spec.fibre * weight * (ridges(noise, sharpness) - 0.4)
    body += 0.06 * smooth_noise(canvas, 1.2, rng)
    clefts = ridges(smooth_noise(canvas, 35.0, rng, axis_rad=axis, stretch=spec.fibre_stretch), 14.0)
    body *= 1.0 - np.clip(spec.fibre * 1.4 * (clefts - 0.35), 0.0, 0.85)
    return np.asarray(spec.stain.eosin * tissue * np.clip(body, 0.05, None), np.float32)


def paint_cytoplasm(
    labels: Int32s, spec: TissueSpec, tissue: FloatPlane, canvas: Canvas, rng: np.random.Generator
) -> FloatPlane:
    """Haematoxylin outside nuclei: a faint veil, stronger about nuclei."""
    around = Image.fromarray(((labels > 0) * 255).astype(np.uint8))
    around = around.filter(ImageFilter.GaussianBlur(3.0 / canvas.mpp))
    veil = 0.12 + 0.9 * np.asarray(around, np.float32) / 255.0
    veil *= 1.0 + 0.25 * smooth_noise(canvas, 5.0, rng) + 0.2 * smooth_noise(canvas, 1.0, rng)
    return np.asarray(spec.stain.basophilia * tissue * np.clip(veil, 0.0, None), np.float32)


def develop(
    haematoxylin: FloatPlane, eosin: FloatPlane, spec: TissueSpec, canvas: Canvas, rng: np.random.Generator
) -> Rgb:
    """Beer-Lambert mixing, blur of the optics, noise of the sensor: uint8 (height_px, width_px, 3)."""
    tilt = spec.stain.tilt
    h_vector = _between(RUIFROK_HAEMATOXYLIN, MACENKO_HAEMATOXYLIN, tilt)
    e_vector = _between(RUIFROK_EOSIN, MACENKO_EOSIN, tilt)
    density = haematoxylin[..., None] * h_vector + eosin[..., None] * e_vector
    light = np.asarray(WHITE, np.float32) * np.exp(-density)
    picture = Image.fromarray(np.rint(light).astype(np.uint8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(spec.blur_um / canvas.mpp)), np.float32)
    noise = np.float32(spec.noise) * rng.standard_normal(blurred.shape, dtype=np.float32)
    return np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)


def _between(first: tuple[float, ...], second: tuple[float, ...], share: float) -> FloatPlane:
    mixed = (1.0 - share) * np.asarray(first) + share * np.asarray(second)
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def in_pixels(nuclei_um: pd.DataFrame, mpp: float) -> pd.DataFrame:
    """Nuclei in the form of ``PaintedTissue.nuclei``."""
    lengths = nuclei_um[["x_um", "y_um", "major_um", "minor_um"]] / mpp
    lengths.columns = ["x", "y", "major", "minor"]
    return lengths.assign(orientation_rad=nuclei_um["orientation_rad"])
