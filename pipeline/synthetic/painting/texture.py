"""Random fields whose grain is given in micrometres, so that they do not depend on the pixel size.

Frame: pixels of the painted picture, origin at its top-left corner, y down; micrometres
are pixels times mpp.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.arrays import Float32s

FloatPlane = Float32s

BICUBIC_SD = 0.903
"""Standard deviation that bicubic interpolation of unit white noise leaves on average (measured)."""

MARGIN_CELLS = 3
"""Cells of noise beyond the picture's border, so that interpolation never meets the grid's end."""


@dataclass(frozen=True)
class Canvas:
    """Size of a picture.

    Attributes
    ----------
    width_px, height_px
        Size in pixels.
    mpp
        um per pixel.
    """

    width_px: int
    height_px: int
    mpp: float

    @property
    def width_um(self) -> float:
        """Width in micrometres."""
        return self.width_px * self.mpp

    @property
    def height_um(self) -> float:
        """Height in micrometres."""
        return self.height_px * self.mpp


def smooth_noise(
    canvas: Canvas, grain_um: float, rng: np.random.Generator, *, axis_rad: float | None = None, stretch: float = 1.0
) -> FloatPlane:
    """Gaussian random field of about zero mean and unit variance.

    Parameters
    ----------
    grain_um
        Distance over which values become independent.
    rng
        Source of the field; the draws depend on the size in micrometres, not on the mpp.
    axis_rad, stretch
        Grains are ``stretch`` times longer along the axis (from +x towards +y, y down).
        None draws an axis, which keeps the lattice from showing where fields are summed.

    Returns
    -------
    float32 (height_px, width_px)
    """
    axis = float(rng.uniform(0.0, math.pi)) if axis_rad is None else axis_rad
    diagonal_um = round(math.hypot(canvas.width_um, canvas.height_um), 6)
    cols = math.ceil(diagonal_um / (grain_um * stretch)) + 2 * MARGIN_CELLS
    rows = math.ceil(diagonal_um / grain_um) + 2 * MARGIN_CELLS
    cells = Image.fromarray(rng.standard_normal((rows, cols), dtype=np.float32))
    along, across = canvas.mpp / (grain_um * stretch), canvas.mpp / grain_um
    xx, xy = along * math.cos(axis), along * math.sin(axis)
    yx, yy = -across * math.sin(axis), across * math.cos(axis)
    half_w, half_h = canvas.width_px / 2, canvas.height_px / 2
    affine = (xx, xy, cols / 2 - xx * half_w - xy * half_h, yx, yy, rows / 2 - yx * half_w - yy * half_h)
    size = (canvas.width_px, canvas.height_px)
    field = cells.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(field, np.float32) / np.float32(BICUBIC_SD)


def ridges(noise: FloatPlane, sharpness: float) -> FloatPlane:
    """Bright lines along the zeros of ``noise``: fibres and membranes, values in [0, 1]."""
    return np.asarray(np.exp(-np.abs(noise) * np.float32(sharpness)), np.float32)


def enlarge(cells: npt.NDArray[np.generic], cell_um: float, canvas: Canvas) -> FloatPlane:
    """Bilinear enlargement of values (row, col) on square cells of ``cell_um``, the first at the top-left corner."""
    step = canvas.mpp / cell_um
    padded = np.pad(cells.astype(np.float32), 2, mode="edge")
    grid = Image.fromarray(padded)
    size = (canvas.width_px, canvas.height_px)
    plane = grid.transform(size, Image.Transform.AFFINE, (step, 0, 2, 0, step, 2), Image.Resampling.BILINEAR)
    return np.asarray(plane, np.float32)
