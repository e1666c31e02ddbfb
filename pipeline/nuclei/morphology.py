"""Size, form, axis and texture of every nucleus of a label image at once.

Frames: arrays (row, col) in pixels; results in micrometres, (x, y) with y down, origin at
the top-left corner of the label image's first pixel.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy import ndimage

from pipeline.nuclei.glcm import cooccurrence, glcm_measures, quantise
from pipeline.nuclei.outlines import hull_areas, outline_polygons, trace
from pipeline.nuclei.stain import LUMINANCE, Rgb

Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

_RING = ((-1, -1, 10), (-1, 0, 2), (-1, 1, 10), (0, -1, 2), (0, 1, 2), (1, -1, 10), (1, 0, 2), (1, 1, 10))
_RING_LENGTHS = np.zeros(50)
_RING_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_RING_LENGTHS[[21, 33]] = np.sqrt(2)
_RING_LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2
"""Length that a border pixel adds to the perimeter by its border neighbours (Benkrid et al. 2000)."""


def measure_nuclei(labels: Labels, rgb: Rgb, mpp: float) -> pd.DataFrame:
    """Measures of each nucleus, in label order.

    Parameters
    ----------
    labels
        (h, w), nuclei 1 to n without gaps, 0 = background.
    rgb
        (h, w, 3).
    mpp
        um/px.

    Returns
    -------
    One row per nucleus with columns ``x_um``, ``y_um`` (centroid), the twelve measures of
    ``artefacts.nuclei.PAPER_MEASURES``, ``orientation_rad``, ``solidity`` and ``contour_um``
    (shapely polygons).

    ``major_axis_um``, ``minor_axis_um`` are the full axes of the ellipse with the same second
    moments, ``eccentricity`` its focal distance over its major axis, in [0, 1);
    ``orientation_rad`` its major axis in [0, pi), from +x towards +y.  ``perimeter_um`` runs
    through the centres of border pixels.  ``mean_grey`` is luminance, 0 to 255.
    """
    n_nuclei = int(labels.max(initial=0))
    boxes = bounding_boxes(labels, n_nuclei)
    grey = np.rint(rgb @ LUMINANCE).astype(np.uint8)
    moments = _moments(labels, grey, n_nuclei)
    borders = trace(labels, boxes)
    area_px = moments["area"]
    ellipse = _ellipse(moments)
    outlines = outline_polygons(borders) if n_nuclei else np.empty(0, dtype=object)
    hulls = hull_areas(borders) if n_nuclei else np.empty(0)
    return pd.DataFrame(
        {
            "x_um": (moments["x"] + 0.5) * mpp,
            "y_um": (moments["y"] + 0.5) * mpp,
            "area_um2": area_px * mpp**2,
            "major_axis_um": ellipse["major"] * mpp,
            "minor_axis_um": ellipse["minor"] * mpp,
            "perimeter_um": perimeters(labels, n_nuclei) * mpp,
            "eccentricity": ellipse["eccentricity"],
            "equivalent_diameter_um": np.sqrt(4 * area_px / np.pi) * mpp,
            "mean_grey": moments["grey"],
            **glcm_measures(cooccurrence(labels, quantise(grey), boxes)),
            "orientation_rad": ellipse["orientation"],
            "solidity": area_px / hulls,
            "contour_um": shapely.transform(outlines, lambda points: points * mpp),
        }
    )


def bounding_boxes(labels: Labels, n_nuclei: int) -> npt.NDArray[np.int64]:
    """Half-open boxes (n, 4) as row0, col0, row1, col1; every label 1 to n must occur."""
    found = ndimage.find_objects(labels, max_label=n_nuclei)
    boxes = [(rows.start, cols.start, rows.stop, cols.stop) for rows, cols in found]
    return np.array(boxes, dtype=np.int64).reshape(-1, 4)


def perimeters(labels: Labels, n_nuclei: int) -> Floats:
    """Perimeters (n,) in pixels: border pixels weighed by how the border runs on (Benkrid et al. 2000).

    The same as ``skimage.measure.perimeter`` of each nucleus alone.
    """
    height, width = labels.shape
    padded = np.pad(labels, 2)
    core = padded[1:-1, 1:-1]
    inner = core > 0
    for rows, cols in ((0, 1), (2, 1), (1, 0), (1, 2)):
        inner &= padded[rows : rows + height + 2, cols : cols + width + 2] == core
    border = np.where(inner, 0, core)
    centre = border[1:-1, 1:-1]
    code = (centre > 0).astype(np.int64)
    for rows, cols, weight in _RING:
        code += weight * ((border[1 + rows : 1 + rows + height, 1 + cols : 1 + cols + width] == centre) & (centre > 0))
    lengths = np.bincount(centre.ravel(), weights=_RING_LENGTHS[code].ravel(), minlength=n_nuclei + 1)
    return lengths[1:].astype(np.float64)


def _moments(labels: Labels, grey: npt.NDArray[np.uint8], n_nuclei: int) -> dict[str, Floats]:
    rows, cols = np.nonzero(labels)
    owner = labels[rows, cols] - 1

    def total(values: npt.NDArray[Any]) -> Floats:
        return np.bincount(owner, weights=values, minlength=n_nuclei).astype(np.float64)

    area = np.bincount(owner, minlength=n_nuclei).astype(np.float64)
    x, y = total(cols) / area, total(rows) / area
    from_x, from_y = cols - x[owner], rows - y[owner]
    return {
        "area": area,
        "x": x,
        "y": y,
        "xx": total(from_x**2) / area,
        "yy": total(from_y**2) / area,
        "xy": total(from_x * from_y) / area,
        "grey": total(grey[rows, cols]) / area,
    }


def _ellipse(moments: dict[str, Floats]) -> dict[str, Floats]:
    """Axes, eccentricity and orientation of the ellipses with these second moments."""
    half_sum = (moments["xx"] + moments["yy"]) / 2
    half_difference = (moments["xx"] - moments["yy"]) / 2
    spread = np.hypot(half_difference, moments["xy"])
    larger, smaller = half_sum + spread, np.maximum(half_sum - spread, 0)
    return {
        "major": 4 * np.sqrt(larger),
        "minor": 4 * np.sqrt(smaller),
        # A nucleus of one pixel has no extent and counts as round.
        "eccentricity": np.sqrt(1 - np.where(larger > 0, smaller / np.where(larger > 0, larger, 1), 1)),
        "orientation": np.mod(np.arctan2(moments["xy"], half_difference) / 2, np.pi),
    }
