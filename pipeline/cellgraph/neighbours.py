"""Distances to the nearest nuclei and numbers of nuclei near by, within each tile.

All tiles of a slide share one tree: a third coordinate sets tiles so far apart that they cannot meet, and leaves x
and y, hence every distance within a tile, exactly as they are.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from pipeline.cellgraph.csr import Floats, Ints, tile_of_each

RADIUS_SLACK = 1.0 + 1e-9
"""Guard: the tree is asked for slightly more, and the distance itself decides."""


def _stacked_tree(xy: Floats, offsets: Ints, gap: float) -> cKDTree:
    return cKDTree(np.column_stack([xy, tile_of_each(offsets) * gap]))


def pairs_within(xy: Floats, offsets: Ints, radius: float) -> tuple[Ints, Floats]:
    """All pairs of points of one tile that are at most ``radius`` apart.

    Returns
    -------
    tuple
        Pairs int64 (2, n_pairs) with first < second, and their distances (n_pairs,).
    """
    if len(xy) == 0:
        return np.zeros((2, 0), np.int64), np.zeros(0)
    tree = _stacked_tree(xy, offsets, 4.0 * radius)
    pairs = tree.query_pairs(radius * RADIUS_SLACK, output_type="ndarray").astype(np.int64).T
    distance = np.hypot(*(xy[pairs[0]] - xy[pairs[1]]).T)
    near = distance <= radius
    return np.sort(pairs[:, near], axis=0), distance[near]


def count_within(xy: Floats, offsets: Ints, radii: Sequence[float]) -> Ints:
    """Number of other points of the same tile at most each radius away, int64 (n, n_radii); ``radii`` increase."""
    pairs, distance = pairs_within(xy, offsets, max(radii))
    shell = np.searchsorted(radii, distance, side="left")
    n_shells = len(radii)
    in_shell = sum(np.bincount(end * n_shells + shell, minlength=len(xy) * n_shells) for end in pairs)
    return np.cumsum(np.reshape(in_shell, (len(xy), n_shells)), axis=1)


def nearest_distances(xy: Floats, offsets: Ints, k: int) -> Floats:
    """Distances to the ``k`` nearest other points of the tile, nearest first, (n, k); NaN where there are fewer."""
    if len(xy) == 0:
        return np.zeros((0, k))
    # No distance within a tile reaches half the gap.
    gap = 4.0 * float(np.hypot(*np.ptp(xy, axis=0))) + 1.0
    found, _ = _stacked_tree(xy, offsets, gap).query(np.column_stack([xy, tile_of_each(offsets) * gap]), k=k + 1)
    # The first is the point itself or one at its very place: 0 either way.
    others = np.asarray(found)[:, 1:]
    return np.where(others < gap / 2, others, np.nan)
