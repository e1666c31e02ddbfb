"""Size, form, axis, stain and texture of every nucleus of a label image at once.

Frames: arrays (row, col) in pixels; results in micrometres, (x, y) with y down, origin at
the top-left corner of the label image's first pixel.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from pipeline.arrays import Float64s, Rgb
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.bounding_boxes import bounding_boxes
from pipeline.nuclei.measures.ellipses import ellipses_of_moments
from pipeline.nuclei.measures.glcm import cooccurrence, glcm_measures, quantise
from pipeline.nuclei.measures.outlines import convex_hulls, convexities, hull_areas, outline_polygons, trace
from pipeline.nuclei.stain.stain_channels import LUMINANCE, haematoxylin

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
    ``artefacts.nuclei.PAPER_MEASURES``, ``orientation_rad``, ``orientation_reliability``,
    ``solidity``, ``convexity``, ``mean_haematoxylin``, ``sd_haematoxylin`` and
    ``contour_um`` (shapely polygons).

    ``major_axis_um``, ``minor_axis_um`` are the full axes of the ellipse with the same second
    moments, ``eccentricity`` its focal distance over its major axis, in [0, 1);
    ``orientation_rad`` its major axis in [0, pi), from +x towards +y, and
    ``orientation_reliability`` the difference of the variances along its two axes over their
    sum, from 0 (round, so that the axis means nothing) to 1 (a line).  ``perimeter_um`` runs
    through the centres of border pixels.  ``mean_grey`` is luminance, 0 to 255.
    ``solidity`` is area over area of the convex hull, ``convexity`` perimeter of the hull
    over length of the border, both up to 1.  ``mean_haematoxylin``, ``sd_haematoxylin`` are
    of the stain's optical density over the nucleus (Ruifrok & Johnston 2001).
    """
    n_nuclei = int(labels.max(initial=0))
    grey = np.rint(rgb @ LUMINANCE).astype(np.uint8)
    moments = _moments(labels, grey, rgb, n_nuclei)
    ellipse = ellipses_of_moments(moments["xx"], moments["yy"], moments["xy"])
    borders = trace(labels, n_nuclei)
    hulls = convex_hulls(borders)
    area_px = moments["area"]
    return pd.DataFrame(
        {
            "x_um": (moments["x"] + 0.5) * mpp,
            "y_um": (moments["y"] + 0.5) * mpp,
            "area_um2": area_px * mpp**2,
            "major_axis_um": ellipse.major * mpp,
            "minor_axis_um": ellipse.minor * mpp,
            "perimeter_um": perimeters(labels, n_nuclei) * mpp,
            "eccentricity": ellipse.eccentricity,
            "equivalent_diameter_um": np.sqrt(4 * area_px / np.pi) * mpp,
            "mean_grey": moments["grey"],
            **glcm_measures(cooccurrence(labels, quantise(grey), bounding_boxes(labels, n_nuclei))),
            "orientation_rad": ellipse.orientation_rad,
            "orientation_reliability": ellipse.reliability,
            "solidity": area_px / hull_areas(hulls),
            "convexity": convexities(hulls, borders),
            "mean_haematoxylin": moments["stain"],
            "sd_haematoxylin": moments["stain_sd"],
            "contour_um": shapely.transform(outline_polygons(borders), lambda points: points * mpp),
        }
    )


def perimeters(labels: Labels, n_nuclei: int) -> Float64s:
    """Perimeters (n,) in pixels: border pixels weighed by how the border runs on (Benkrid et al. 2000).

    The same as ``skimage.measure.perimeter`` of each nucleus alone.
    """
    lengths = np.zeros(n_nuclei + 1)
    _add_lengths(np.pad(labels, 2), lengths)
    return lengths[1:]


@compiled
def _add_lengths(labels: Any, lengths: Any) -> None:
    """Add the length of each border pixel to its nucleus; ``labels`` has a rim of two pixels."""
    height, width = labels.shape
    border = np.zeros_like(labels)
    for r in range(2, height - 2):
        for c in range(2, width - 2):
            own = labels[r, c]
            inner = labels[r - 1, c] == own and labels[r + 1, c] == own
            inner = inner and labels[r, c - 1] == own and labels[r, c + 1] == own
            border[r, c] = 0 if inner else own
    for r in range(2, height - 2):
        for c in range(2, width - 2):
            own = border[r, c]
            if own == 0:
                continue
            code = 1
            for down, right, weight in _RING:
                if border[r + down, c + right] == own:
                    code += weight
            lengths[own] += _RING_LENGTHS[code]


def _moments(labels: Labels, grey: npt.NDArray[np.uint8], rgb: Rgb, n_nuclei: int) -> dict[str, Float64s]:
    """Area, centroid, central second moments, and mean and spread of grey and stain of each nucleus, pixels."""
    inside = labels > 0
    sums = np.zeros((len(_SUMS), n_nuclei))
    _add_sums(labels, grey, haematoxylin(rgb[inside]), sums)
    return dict(zip(_SUMS, sums, strict=True))


_SUMS = ("area", "x", "y", "grey", "stain", "xx", "yy", "xy", "stain_sd")


@compiled
def _add_sums(labels: Any, grey: Any, stain: Any, sums: Any) -> None:
    """Fill ``sums`` in the order of ``_SUMS``; ``stain`` holds the pixels of nuclei in reading order."""
    area, x, y, greys, stains, xx, yy, xy, stain_sd = sums
    n_seen = 0
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            k = labels[r, c] - 1
            if k >= 0:
                area[k] += 1
                x[k] += c
                y[k] += r
                greys[k] += grey[r, c]
                stains[k] += stain[n_seen]
                n_seen += 1
    for row in range(1, 5):
        sums[row] /= area
    n_seen = 0
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            k = labels[r, c] - 1
            if k >= 0:
                from_x, from_y = c - x[k], r - y[k]
                xx[k] += from_x**2
                yy[k] += from_y**2
                xy[k] += from_x * from_y
                stain_sd[k] += (stain[n_seen] - stains[k]) ** 2
                n_seen += 1
    for row in range(5, 9):
        sums[row] /= area
    stain_sd[:] = np.sqrt(stain_sd)
