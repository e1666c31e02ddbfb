"""Axial angles: directions without a sense, theta and theta + pi being the same (Mardia and Jupp 2000, section 1.3)."""

import numpy as np

from pipeline.cellgraph.graphs.csr import Bools, Floats

NO_MEAN_AXIS = 1e-9
"""Guard: below this length of the mean of exp(2 i theta) the axes cancel and have no mean axis."""


def axial_difference(a_rad: Floats, b_rad: Floats) -> Floats:
    """Angle between two axes in radians, 0 to pi/2."""
    turn = np.mod(a_rad - b_rad, np.pi)
    return np.minimum(turn, np.pi - turn)


def doubled(theta_rad: Floats) -> Floats:
    """Cosine and sine of twice the angle, (n, 2): the vectors that axial statistics average."""
    return np.stack([np.cos(2.0 * theta_rad), np.sin(2.0 * theta_rad)], axis=-1)


def mean_axis(mean_doubled: Floats) -> Floats:
    """Axis in (-pi/2, pi/2] of means of ``doubled`` vectors (..., 2); NaN where the axes cancel."""
    length = np.hypot(mean_doubled[..., 0], mean_doubled[..., 1])
    axis = 0.5 * np.arctan2(mean_doubled[..., 1], mean_doubled[..., 0])
    return np.where(length > NO_MEAN_AXIS, axis, np.nan)


def has_axis(eccentricity: Floats, orientation_rad: Floats, min_eccentricity: float) -> Bools:
    """Nuclei whose axis means something: eccentricity at least ``min_eccentricity`` and both values finite."""
    finite = np.isfinite(eccentricity) & np.isfinite(orientation_rad)
    reliable: Bools = finite & (np.nan_to_num(eccentricity) >= min_eccentricity)
    return reliable
