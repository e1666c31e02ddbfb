"""Axial angles: directions without a sense, theta and theta + pi being the same (Mardia and Jupp 2000, section 1.3).

Axes are in radians from +x towards +y, in the frame of the centroids.
"""

import numpy as np

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.compiled import compiled

NO_MEAN_AXIS = 1e-9
"""Guard: below this length of the mean of exp(2 i theta) the axes cancel and have no mean axis."""


@compiled
def axial_difference(a_rad: float, b_rad: float) -> float:
    """Angle between two axes in radians, 0 to pi/2; NaN where one is not finite."""
    turn = (a_rad - b_rad) % np.pi
    return float(min(turn, np.pi - turn) if np.isfinite(turn) else np.nan)


@compiled
def angles_between_axes(theta: Float64s, edges: Int64s) -> Float64s:
    """Angle between the axes ``theta`` (n,) of the two ends of each of the ``edges`` (2, n_edges), 0 to pi/2.

    NaN where one of the axes is not finite.
    """
    angles = np.empty(edges.shape[1])
    for edge in range(len(angles)):
        angles[edge] = axial_difference(theta[edges[0, edge]], theta[edges[1, edge]])
    return angles


@compiled
def angles_to_axis(xy: Float64s, theta: Float64s, edges: Int64s) -> Float64s:
    """Angle (n_edges,) between each edge and the axis of its source in radians, 0 to pi/2.

    NaN where that axis is not finite or the ends lie at one place.

    Parameters
    ----------
    xy, theta
        Centres (n, 2) and axes (n,) of nuclei, the latter in radians.
    edges
        (2, n_edges), from source to target.
    """
    angles = np.empty(edges.shape[1])
    for edge in range(len(angles)):
        source, target = edges[0, edge], edges[1, edge]
        dx, dy = xy[target, 0] - xy[source, 0], xy[target, 1] - xy[source, 1]
        apart = dx != 0.0 or dy != 0.0
        angles[edge] = axial_difference(np.arctan2(dy, dx), theta[source]) if apart else np.nan
    return angles


def doubled(theta_rad: Float64s) -> Float64s:
    """Cosine and sine of twice the angle, (n, 2): the vectors that axial statistics average."""
    return np.stack([np.cos(2.0 * theta_rad), np.sin(2.0 * theta_rad)], axis=-1)


def mean_axis(mean_doubled: Float64s) -> Float64s:
    """Axis in (-pi/2, pi/2] of means of ``doubled`` vectors (..., 2); NaN where the axes cancel."""
    length = np.hypot(mean_doubled[..., 0], mean_doubled[..., 1])
    axis = 0.5 * np.arctan2(mean_doubled[..., 1], mean_doubled[..., 0])
    return np.where(length > NO_MEAN_AXIS, axis, np.nan)


def has_axis(eccentricity: Float64s, orientation_rad: Float64s, min_eccentricity: float) -> Bools:
    """Which nuclei (n,) have an axis that means something: at least ``min_eccentricity``, and both values finite."""
    finite = np.isfinite(eccentricity) & np.isfinite(orientation_rad)
    reliable: Bools = finite & (np.nan_to_num(eccentricity) >= min_eccentricity)
    return reliable
