"""Where nuclei lie and which way they point.

Frame: micrometres, origin at the picture's top-left corner, y down.  Axes are angles in
[0, pi) from +x towards +y.  Layout cells are (row, col) squares of ``cell_um``.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from pipeline.arrays import Bools, Float64s
from pipeline.synthetic.painting.texture import Canvas, smooth_noise

MAX_ROUNDS = 40
MIN_PROGRESS = 0.002
"""Dart throwing ends after so many rounds, or when one adds less than this share: the rest cannot be packed."""

CLUSTER_UM = 60.0
"""Grain of the density's variation: a nest of some tens of cells."""


@dataclass(frozen=True)
class NucleusShape:
    """Distribution of the size and form of nuclei.

    Attributes
    ----------
    major_um, major_cv
        Mean of the major axis (full length) and its coefficient of variation, log-normal.
    aspect, aspect_sd
        Mean and SD of minor over major axis, normal, clipped to [0.3, 0.97].
    gap_um
        Least distance of two outlines; negative lets them overlap by that much.
    """

    major_um: float = 8.5
    major_cv: float = 0.16
    aspect: float = 0.62
    aspect_sd: float = 0.08
    gap_um: float = 0.8

    @property
    def area_um2(self) -> float:
        """Area of an ellipse with the mean axes."""
        return math.pi / 4 * self.major_um**2 * self.aspect


@dataclass(frozen=True)
class TissueLayout:
    """What is where, on square cells.

    Attributes
    ----------
    cell_um
        Side of a cell.
    tissue
        bool (rows, cols).
    axis_rad
        float64 (rows, cols), mean axis of the nuclei.
    kappa
        float64 (rows, cols), concentration of the doubled angle about the doubled axis
        (von Mises); 0 is isotropic, and the nematic order is ``I1(kappa) / I0(kappa)``.
    density
        float64 (rows, cols), relative density of nuclei; None is even.
    """

    cell_um: float
    tissue: Bools
    axis_rad: Float64s
    kappa: Float64s
    density: Float64s | None = None

    def cell_of(self, xy_um: Float64s) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Row and column of the cells that hold points (n, 2); points outside go to the nearest cell."""
        rows, cols = self.tissue.shape
        col = np.clip(np.floor(xy_um[:, 0] / self.cell_um).astype(np.intp), 0, cols - 1)
        row = np.clip(np.floor(xy_um[:, 1] / self.cell_um).astype(np.intp), 0, rows - 1)
        return row, col


def place_nuclei(
    layout: TissueLayout,
    shape: NucleusShape,
    *,
    nuclei_per_mm2: float,
    clustering: float,
    extent_um: tuple[float, float],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Throw elliptic nuclei onto the tissue, none nearer to another than ``shape.gap_um``.

    Parameters
    ----------
    nuclei_per_mm2
        Mean number per mm2 of tissue; fewer are placed only where they do not fit.
    clustering
        SD of the logarithm of the local density; 0 is even.
    extent_um
        Width and height of the picture.

    Returns
    -------
    DataFrame with float64 columns x_um, y_um, major_um, minor_um (full lengths), orientation_rad.
    """
    density = _relative_density(layout, clustering, rng)
    on_tissue_um2 = float(np.count_nonzero(layout.tissue)) * layout.cell_um**2
    # More than would cover the tissue cannot fit, and would only make rounds long.
    wanted = min(round(nuclei_per_mm2 * on_tissue_um2 * 1e-6), int(on_tissue_um2 / shape.area_um2))
    placed, fresh = np.empty((0, 5)), wanted
    for _ in range(MAX_ROUNDS):
        missing = wanted - len(placed)
        if missing <= 0 or fresh < MIN_PROGRESS * wanted:
            break
        darts = _throw(layout, density, 2 * missing + 16, extent_um, rng)
        candidates = _with_shapes(darts, layout, shape, rng)
        grown = _without_overlap(placed, candidates, shape.gap_um)[:wanted]
        placed, fresh = grown, len(grown) - len(placed)
    return pd.DataFrame(placed, columns=["x_um", "y_um", "major_um", "minor_um", "orientation_rad"])


def axial_von_mises(axis_rad: Float64s, kappa: Float64s, rng: np.random.Generator) -> Float64s:
    """One axis in [0, pi) for each mean axis, (n,): half of a von Mises draw about the doubled mean."""
    return np.asarray(np.mod(0.5 * rng.vonmises(2.0 * axis_rad, kappa), np.pi), np.float64)


def _relative_density(layout: TissueLayout, clustering: float, rng: np.random.Generator) -> Float64s:
    rows, cols = layout.tissue.shape
    noise = smooth_noise(Canvas(cols, rows, layout.cell_um), CLUSTER_UM, rng)
    within = ndimage.binary_erosion(layout.tissue, border_value=1)
    relative = 1.0 if layout.density is None else layout.density
    density = np.where(within, relative * np.exp(clustering * noise), 0.0)
    return np.asarray(density / max(density.max(), 1e-12), np.float64)


def _throw(
    layout: TissueLayout,
    relative_density: Float64s,
    count: int,
    extent_um: tuple[float, float],
    rng: np.random.Generator,
) -> Float64s:
    share = max(float(relative_density.mean()), 1e-3)
    darts = rng.random((int(count / share) + 1, 2)) * np.asarray(extent_um)
    row, col = layout.cell_of(darts)
    return np.asarray(darts[rng.random(len(darts)) < relative_density[row, col]][:count], np.float64)


def _with_shapes(xy_um: Float64s, layout: TissueLayout, shape: NucleusShape, rng: np.random.Generator) -> Float64s:
    row, col = layout.cell_of(xy_um)
    spread = np.sqrt(np.log1p(shape.major_cv**2))
    major = shape.major_um * np.exp(spread * rng.standard_normal(len(xy_um)) - 0.5 * spread**2)
    aspect = np.clip(shape.aspect + shape.aspect_sd * rng.standard_normal(len(xy_um)), 0.3, 0.97)
    angle = axial_von_mises(layout.axis_rad[row, col], layout.kappa[row, col], rng)
    return np.column_stack([xy_um, major, major * aspect, angle])


def _without_overlap(placed: Float64s, candidates: Float64s, gap_um: float) -> Float64s:
    """``placed`` followed by the candidates that touch neither them nor an earlier kept candidate."""
    nuclei = np.vstack([placed, candidates])
    if len(nuclei) < 2:
        return nuclei
    reach = float(nuclei[:, 2].max()) + max(gap_um, 0.0)
    pairs = cKDTree(nuclei[:, :2]).query_pairs(reach, output_type="ndarray")
    pairs = pairs[_touching(nuclei, pairs, gap_um)]
    # By the later member, so that each earlier one's fate is settled when it is asked for.
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    keep = np.ones(len(nuclei), bool)
    for earlier, later in pairs.tolist():
        if keep[earlier] and later >= len(placed):
            keep[later] = False
    kept: Float64s = nuclei[keep]
    return kept


def _touching(nuclei: Float64s, pairs: npt.NDArray[Any], gap_um: float) -> Bools:
    """Whether the two ellipses' radii towards each other leave less than ``gap_um`` between them."""
    first, second = nuclei[pairs[:, 0]], nuclei[pairs[:, 1]]
    apart = second[:, :2] - first[:, :2]
    direction = np.arctan2(apart[:, 1], apart[:, 0])
    reach = _radius(first, direction) + _radius(second, direction)
    return np.asarray(np.hypot(apart[:, 0], apart[:, 1]) < reach + gap_um, np.bool_)


def _radius(nuclei: Float64s, direction: Float64s) -> Float64s:
    semi_major, semi_minor = nuclei[:, 2] / 2, nuclei[:, 3] / 2
    angle = direction - nuclei[:, 4]
    return np.asarray(
        semi_major * semi_minor / np.hypot(semi_minor * np.cos(angle), semi_major * np.sin(angle)), np.float64
    )
