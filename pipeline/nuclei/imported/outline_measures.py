"""Measures of nuclei from their outlines alone, exact for polygons.

Frame: micrometres, (x, y), y down.
"""

import numpy as np
import pandas as pd
import shapely

from pipeline.arrays import Float64s
from pipeline.artefacts.foreign_nuclei.found_nuclei import Outlines
from pipeline.nuclei.measures.ellipses import ellipses_of_moments


def measure_outlines(outlines: Outlines) -> pd.DataFrame:
    """Measures of each outline, NaN without one.

    Parameters
    ----------
    outlines
        (n,) Polygons and MultiPolygons, holes allowed, in um; None without an outline.

    Returns
    -------
    One row a nucleus with ``area_um2``, ``perimeter_um`` (of all its borders), ``equivalent_diameter_um``,
    ``solidity``, ``convexity`` and, from the second moments of the area inside, ``major_axis_um``, ``minor_axis_um``,
    ``eccentricity``, ``orientation_rad`` and ``orientation_reliability``; defined as in ``measure_nuclei``, which has
    pixels in place of the polygon.
    """
    area = shapely.area(outlines)
    area = np.where(area > 0, area, np.nan)
    perimeter = np.where(area > 0, shapely.length(outlines), np.nan)
    hulls = shapely.convex_hull(outlines)
    ellipse = ellipses_of_moments(*_second_moments(outlines, area))
    return pd.DataFrame(
        {
            "area_um2": area,
            "major_axis_um": ellipse.major,
            "minor_axis_um": ellipse.minor,
            "perimeter_um": perimeter,
            "eccentricity": ellipse.eccentricity,
            "equivalent_diameter_um": np.sqrt(4 * area / np.pi),
            "orientation_rad": ellipse.orientation_rad,
            "orientation_reliability": ellipse.reliability,
            "solidity": area / shapely.area(hulls),
            "convexity": np.minimum(shapely.length(hulls) / perimeter, 1.0),
        }
    )


def _second_moments(outlines: Outlines, area: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Variances along x and y and covariance of the area inside each outline (Steger 1996), NaN without an area."""
    polygons, of_polygon = shapely.get_parts(outlines, return_index=True)
    rings, of_ring = shapely.get_rings(polygons, return_index=True)
    is_shell = np.diff(of_ring, prepend=-1) > 0
    points, ring = shapely.get_coordinates(rings, return_index=True)
    nucleus = of_polygon[of_ring][ring] if len(ring) else np.zeros(0, np.int64)
    # About the centroid, since far from the origin the differences would be lost to rounding.
    middle = shapely.centroid(outlines)
    x, y = points[:, 0] - shapely.get_x(middle)[nucleus], points[:, 1] - shapely.get_y(middle)[nucleus]
    follows = np.append(ring[1:] == ring[:-1], False)
    from_here = np.flatnonzero(follows)
    x0, y0, x1, y1 = x[from_here], y[from_here], x[from_here + 1], y[from_here + 1]
    cross = x0 * y1 - x1 * y0
    of_side = ring[from_here]
    signed_area = np.bincount(of_side, cross, minlength=len(rings)) / 2
    # Counted positive inside the outline and negative inside its holes, whichever way the corners go round.
    sign = np.where(signed_area < 0, -1.0, 1.0) * np.where(is_shell, 1.0, -1.0)
    weighted = cross * sign[of_side]
    owner = nucleus[from_here]

    def summed(values: Float64s) -> Float64s:
        return np.bincount(owner, values * weighted, minlength=len(outlines)) / area

    xx = summed(x0 * x0 + x0 * x1 + x1 * x1) / 12
    yy = summed(y0 * y0 + y0 * y1 + y1 * y1) / 12
    xy = summed(2 * x0 * y0 + x0 * y1 + x1 * y0 + 2 * x1 * y1) / 24
    return xx, yy, xy
