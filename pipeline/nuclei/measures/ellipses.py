"""Ellipses by their second moments: what a region's axes are, whichever way its moments were summed.

Frame: (x, y) with y down; angles from +x towards +y.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float64s


@dataclass(frozen=True)
class Ellipses:
    """Ellipses (n,), NaN where a moment is.

    Attributes
    ----------
    major, minor
        Full axes, in the unit whose square the moments have.
    eccentricity
        Focal distance over major axis, in [0, 1); 0 of a region without extent.
    orientation_rad
        Major axis, in [0, pi).
    reliability
        Difference of the variances along the two axes over their sum, from 0 (round) to 1 (a line).
    """

    major: Float64s
    minor: Float64s
    eccentricity: Float64s
    orientation_rad: Float64s
    reliability: Float64s


def ellipses_of_moments(xx: Float64s, yy: Float64s, xy: Float64s) -> Ellipses:
    """Ellipses with these variances (n,) along x and y and these covariances (n,)."""
    half_sum, half_difference = (xx + yy) / 2, (xx - yy) / 2
    spread = np.hypot(half_difference, xy)
    larger, smaller = half_sum + spread, np.maximum(half_sum - spread, 0.0)
    # Without extent there are no axes to compare; a NaN is no such region and stays one.
    has_no_extent = larger == 0
    return Ellipses(
        major=4 * np.sqrt(larger),
        minor=4 * np.sqrt(smaller),
        eccentricity=np.sqrt(1 - np.where(has_no_extent, 1.0, smaller / np.where(has_no_extent, 1.0, larger))),
        orientation_rad=axial(np.arctan2(xy, half_difference) / 2),
        reliability=spread / np.where(has_no_extent, 1.0, half_sum),
    )


def axial(angles_rad: Float64s) -> Float64s:
    """Axes in [0, pi), radians, by any of their angles, of the same shape; NaN stays."""
    remainders = np.mod(angles_rad, np.pi)
    # The remainder of an angle just below 0 rounds to pi itself.
    return np.where(remainders >= np.pi, 0.0, remainders)
