"""Areas, sides and circumcircles of triangles, all at once.

Every function takes ``xy`` float64 (n_sites, 2) and ``triangles`` int64 (n_triangles, 3), rows of ``xy``.
"""

import numpy as np

from pipeline.arrays import Float64s, Int64s


def triangle_areas(xy: Float64s, triangles: Int64s) -> Float64s:
    """Area of each triangle, (n_triangles,)."""
    u, v = _spanned_by(xy, triangles)
    areas: Float64s = 0.5 * np.abs(_cross(u, v))
    return areas


def triangle_sides(xy: Float64s, triangles: Int64s) -> Float64s:
    """Lengths of the three sides of each triangle, (n_triangles, 3)."""
    return np.stack(
        [np.hypot(*(xy[triangles[:, i]] - xy[triangles[:, j]]).T) for i, j in ((0, 1), (1, 2), (2, 0))], axis=1
    )


def circumcentres(xy: Float64s, triangles: Int64s) -> Float64s:
    """Centre of the circle through the corners of each triangle, (n_triangles, 2); not finite for corners on a line."""
    centres: Float64s = xy[triangles[:, 0]] + _to_circumcentre(xy, triangles)
    return centres


def circumradii(xy: Float64s, triangles: Int64s) -> Float64s:
    """Radius of that circle, (n_triangles,); not finite for corners on a line."""
    radii: Float64s = np.hypot(*_to_circumcentre(xy, triangles).T)
    return radii


def _to_circumcentre(xy: Float64s, triangles: Int64s) -> Float64s:
    """From the first corner of each triangle to its circumcentre."""
    u, v = _spanned_by(xy, triangles)
    uu, vv = (u**2).sum(axis=1), (v**2).sum(axis=1)
    doubled_cross = 2.0 * _cross(u, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (v[:, 1] * uu - u[:, 1] * vv) / doubled_cross
        y = (u[:, 0] * vv - v[:, 0] * uu) / doubled_cross
    return np.stack([x, y], axis=1)


def _spanned_by(xy: Float64s, triangles: Int64s) -> tuple[Float64s, Float64s]:
    """Two sides of each triangle, from its first corner."""
    origin = xy[triangles[:, 0]]
    return xy[triangles[:, 1]] - origin, xy[triangles[:, 2]] - origin


def _cross(u: Float64s, v: Float64s) -> Float64s:
    cross: Float64s = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return cross
