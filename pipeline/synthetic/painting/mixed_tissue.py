"""Tissue of several compartments, in the breadth of real H&E: pictures for training a network that segments nuclei.

Glands or nests of epithelium with crowded, overlapping, often vesicular nuclei that stand
across the border (palisades), stroma with thin spindles along fibres, and swarms of
lymphocytes; with red cells, mucin, pigment and keratin that are no nuclei, and parts out
of focus.  Frame: pixels of the picture, origin top-left, y down.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import ndimage

from pipeline.arrays import Bools, Float64s, Rgb
from pipeline.synthetic.painting.nucleus import Stain, StampedNuclei, stamp_nuclei
from pipeline.synthetic.painting.placement import NucleusShape, TissueLayout, place_nuclei
from pipeline.synthetic.painting.texture import Canvas, FloatPlane, enlarge, ridges, smooth_noise
from pipeline.synthetic.painting.tissue import (
    PaintedTissue,
    develop,
    in_pixels,
    paint_cytoplasm,
    paint_eosin,
    random_spec,
    soft_tissue,
)

CELL_UM = 2.0
"""Cell of the layouts made here: finer than the thinnest nucleus."""

RED_CELL_UM = 7.0
"""Diameter of an erythrocyte."""

P_RED_CELLS, P_PIGMENT, P_KERATIN, P_MUCIN, P_DEFOCUS = 0.35, 0.2, 0.2, 0.35, 0.3


@dataclass(frozen=True)
class Compartment:
    """One kind of cells and where they lie.

    Attributes
    ----------
    layout
        Where, and which way nuclei point.
    shape, stain
        Their looks.
    covered
        Share of the area that nuclei cover, if they fit.
    """

    layout: TissueLayout
    shape: NucleusShape
    stain: Stain
    covered: float


def paint_mixed_tissue(*, width_px: int, height_px: int, mpp: float, rng: np.random.Generator) -> PaintedTissue:
    """Paint tissue of compartments whose make-up is drawn anew for each picture.

    Parameters
    ----------
    mpp
        um per pixel of the picture.
    """
    canvas = Canvas(width_px, height_px, mpp)
    cells = _cells(canvas)
    spec = replace(random_spec(rng), blur_um=float(rng.uniform(0.15, 0.9)))
    glands, depth_um, lumen = _glands(cells, rng)
    epithelium = _epithelium(glands & ~lumen, depth_um, spec.stain, rng)
    swarm = smooth_noise(cells, float(rng.uniform(20, 60)), rng) > rng.uniform(0.8, 2.5)
    compartments = [
        epithelium,
        _lymphocytes(swarm & ~glands, spec.stain, rng),
        _spindles(~glands & ~swarm, depth_um, spec.stain, cells, rng),
    ]
    placed = [_place(compartment, canvas, rng) for compartment in compartments]
    parts = [stamp_nuclei(nuclei, part.stain, canvas, rng) for nuclei, part in zip(placed, compartments, strict=True)]
    nuclei_um, painted = pd.concat(placed, ignore_index=True), _merged(parts, [len(nuclei) for nuclei in placed])

    layout = replace(epithelium.layout, tissue=~lumen)
    tissue = soft_tissue(layout, canvas, rng)
    eosin = paint_eosin(spec, tissue, canvas, rng)
    haematoxylin = paint_cytoplasm(painted.labels, spec, tissue, canvas, rng)
    within = enlarge(glands, CELL_UM, canvas)
    eosin *= 1 + within * np.float32(rng.uniform(-0.8, 0.3))
    haematoxylin *= 1 + within * np.float32(rng.uniform(-0.5, 2.5))
    _add_distractors(haematoxylin, eosin, canvas, rng)
    haematoxylin += painted.coverage * (painted.haematoxylin - haematoxylin)
    eosin *= 1.0 - 0.55 * painted.coverage
    rgb = develop(haematoxylin, eosin, spec, canvas, rng)
    if rng.random() < P_DEFOCUS:
        rgb = _defocused(rgb, canvas, rng)
    return PaintedTissue(rgb, painted.labels, in_pixels(nuclei_um, mpp))


def _cells(canvas: Canvas) -> Canvas:
    """Grid of layout cells that covers the picture."""
    return Canvas(math.ceil(canvas.width_um / CELL_UM), math.ceil(canvas.height_um / CELL_UM), CELL_UM)


def _glands(cells: Canvas, rng: np.random.Generator) -> tuple[Bools, Float64s, Bools]:
    """Where glands are; depth under their border, um, negative outside; and their openings."""
    field = smooth_noise(cells, float(rng.uniform(35, 110)), rng)
    glands = field > np.quantile(field, rng.uniform(0.1, 0.8))
    depth_um = (ndimage.distance_transform_edt(glands) - ndimage.distance_transform_edt(~glands)) * CELL_UM
    wall_um = rng.uniform(10, 35)
    opened = (depth_um > wall_um) if rng.random() < 0.7 else np.zeros_like(glands)
    return glands, ndimage.gaussian_filter(depth_um, 2.0), opened


def _epithelium(tissue: Bools, depth_um: Float64s, stain: Stain, rng: np.random.Generator) -> Compartment:
    """Crowded nuclei; in palisades they stand across the border, near it."""
    down, right = np.gradient(depth_um)
    across = np.mod(np.arctan2(down, right), np.pi)
    palisade = rng.random() < 0.6
    layers_um = rng.uniform(9, 28) if palisade else 1e3
    layout = TissueLayout(
        CELL_UM,
        tissue,
        across,
        np.full(across.shape, rng.uniform(6, 40) if palisade else rng.choice([0.0, 2.0])),
        np.where(depth_um < layers_um, 1.0, rng.uniform(0.0, 0.15)),
    )
    shape = NucleusShape(
        major_um=float(rng.uniform(7.5, 14.0)),
        major_cv=float(rng.uniform(0.08, 0.22)),
        aspect=float(rng.uniform(0.32, 0.6) if palisade else rng.uniform(0.6, 0.9)),
        aspect_sd=float(rng.uniform(0.05, 0.12)),
        gap_um=float(rng.uniform(-2.2, 0.8)),
    )
    looks = replace(
        stain,
        haematoxylin=stain.haematoxylin * float(rng.uniform(0.45, 1.0)),
        vesicular=float(rng.uniform(0.1, 1.0)),
        chromatin=float(rng.uniform(0.08, 0.4)),
        translucency=float(rng.uniform(0.1, 0.6)),
    )
    return Compartment(layout, shape, looks, float(rng.uniform(0.2, 0.8)))


def _lymphocytes(tissue: Bools, stain: Stain, rng: np.random.Generator) -> Compartment:
    """Small, round, dark nuclei, close together."""
    layout = TissueLayout(CELL_UM, tissue, np.zeros(tissue.shape), np.zeros(tissue.shape))
    shape = NucleusShape(
        major_um=float(rng.uniform(4.5, 7.5)),
        major_cv=float(rng.uniform(0.06, 0.2)),
        aspect=float(rng.uniform(0.8, 0.93)),
        aspect_sd=0.07,
        gap_um=float(rng.uniform(-1.0, 1.2)),
    )
    looks = replace(stain, haematoxylin=stain.haematoxylin * float(rng.uniform(0.95, 1.3)), vesicular=0.1)
    return Compartment(layout, shape, looks, float(rng.uniform(0.15, 0.6)))


def _spindles(tissue: Bools, depth_um: Float64s, stain: Stain, cells: Canvas, rng: np.random.Generator) -> Compartment:
    """Thin nuclei along the borders of glands or along wandering fibres."""
    down, right = np.gradient(depth_um)
    along = np.arctan2(right, -down)
    fibres = rng.uniform(0, np.pi) + rng.uniform(0, 1.2) * smooth_noise(cells, 60.0, rng)
    axis = np.mod(np.where(depth_um > -rng.uniform(0, 60), along, fibres), np.pi).astype(np.float64)
    layout = TissueLayout(CELL_UM, tissue, axis, np.full(axis.shape, rng.choice([1.0, 4.0, 12.0])))
    shape = NucleusShape(
        major_um=float(rng.uniform(7.0, 16.0)),
        major_cv=float(rng.uniform(0.15, 0.35)),
        aspect=float(rng.uniform(0.3, 0.6)),
        aspect_sd=0.1,
        gap_um=float(rng.uniform(-0.5, 1.0)),
    )
    looks = replace(stain, haematoxylin=stain.haematoxylin * float(rng.uniform(0.6, 1.2)))
    return Compartment(layout, shape, looks, float(rng.uniform(0.02, 0.2)))


def _place(part: Compartment, canvas: Canvas, rng: np.random.Generator) -> pd.DataFrame:
    return place_nuclei(
        part.layout,
        part.shape,
        nuclei_per_mm2=part.covered * 1e6 / part.shape.area_um2,
        clustering=float(rng.uniform(0, 0.8)),
        extent_um=(canvas.width_um, canvas.height_um),
        rng=rng,
    )


def _merged(parts: list[StampedNuclei], counts: list[int]) -> StampedNuclei:
    """All nuclei in one picture, those of earlier parts on top."""
    labels, coverage, density = parts[0].labels.copy(), parts[0].coverage.copy(), parts[0].haematoxylin.copy()
    for part, before in zip(parts[1:], np.cumsum(counts), strict=False):
        own = (labels == 0) & (part.labels > 0)
        labels[own] = part.labels[own] + before
        fresh = part.coverage > coverage
        density[fresh] = part.haematoxylin[fresh]
        np.maximum(coverage, part.coverage, out=coverage)
    return StampedNuclei(labels, coverage, density)


def _add_distractors(haematoxylin: FloatPlane, eosin: FloatPlane, canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint what is no nucleus but might be taken for one, in place."""
    chance = rng.random(4)
    if chance[0] < P_RED_CELLS:
        discs = _discs(canvas, RED_CELL_UM, float(rng.uniform(50, 1500)), rng)
        eosin += discs * np.float32(rng.uniform(0.4, 1.4))
        haematoxylin *= 1 - 0.7 * discs
    if chance[1] < P_PIGMENT:
        grains = _discs(canvas, float(rng.uniform(1.0, 3.0)), float(rng.uniform(200, 3000)), rng)
        haematoxylin += grains * np.float32(rng.uniform(0.5, 2.0))
        eosin += grains * np.float32(rng.uniform(0.5, 1.5))
    if chance[2] < P_KERATIN:
        patch = np.clip(smooth_noise(canvas, 60.0, rng) - 0.8, 0, 1)
        stretch = float(rng.uniform(3, 9))
        sheets = ridges(smooth_noise(canvas, 6.0, rng, axis_rad=float(rng.uniform(0, np.pi)), stretch=stretch), 3.0)
        haematoxylin += patch * sheets * np.float32(rng.uniform(0.3, 1.5))
        eosin += patch * sheets * np.float32(rng.uniform(0.3, 1.5))
    if chance[3] < P_MUCIN:
        drops = _discs(canvas, float(rng.uniform(6, 20)), float(rng.uniform(50, 800)), rng)
        eosin *= 1 - 0.85 * drops
        haematoxylin += drops * np.float32(rng.uniform(-0.1, 0.35))
        np.clip(haematoxylin, 0, None, out=haematoxylin)


def _discs(canvas: Canvas, diameter_um: float, per_mm2: float, rng: np.random.Generator) -> FloatPlane:
    """Soft-edged discs in patches (height_px, width_px), values in [0, 1]."""
    patches = smooth_noise(_cells(canvas), 50.0, rng) > rng.uniform(-0.5, 1.0)
    layout = TissueLayout(CELL_UM, patches, np.zeros(patches.shape), np.zeros(patches.shape))
    places = place_nuclei(
        layout,
        NucleusShape(major_um=diameter_um, major_cv=0.12, aspect=0.9, gap_um=-0.5),
        nuclei_per_mm2=per_mm2,
        clustering=0.8,
        extent_um=(canvas.width_um, canvas.height_um),
        rng=rng,
    )
    return stamp_nuclei(places, Stain(irregular=0.02), canvas, rng).coverage


def _defocused(rgb: Rgb, canvas: Canvas, rng: np.random.Generator) -> Rgb:
    """Picture with parts out of focus."""
    sigma_px = rng.uniform(0.4, 1.4) / canvas.mpp
    blurred = ndimage.gaussian_filter(rgb.astype(np.float32), (sigma_px, sigma_px, 0))
    share = np.clip(smooth_noise(canvas, 60.0, rng) + rng.uniform(-1, 1), 0, 1)[..., None]
    return np.asarray(np.rint(rgb + share * (blurred - rgb)), np.uint8)
