"""Which kept tile owns each of the nuclei that another program found."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.tiles import ownership_l0

NEAREST = 4
"""Tiles looked at for each nucleus: at a corner four meet, whose rounded borders say which owns it."""


def owners(xy_um: Float64s, tiles: pd.DataFrame, slide_mpp: float) -> Int64s:
    """tile_id (n,) of the tile whose half-open box holds each centroid; -1 of one that none does.

    Parameters
    ----------
    xy_um
        Centroids (n, 2).
    tiles
        Kept rows of a tile table, which share no tissue; may be none.
    slide_mpp
        um per level-0 pixel.
    """
    if tiles.empty or not len(xy_um):
        return np.full(len(xy_um), -1, np.int64)
    boxes = ownership_l0(tiles) * slide_mpp
    n_near = min(NEAREST, len(tiles))
    _, near = cKDTree((boxes[:, :2] + boxes[:, 2:]) / 2).query(xy_um, k=n_near, p=np.inf)
    near = np.asarray(near).reshape(len(xy_um), n_near)
    place, box = xy_um[:, None, :], boxes[near]
    inside = ((place >= box[..., :2]) & (place < box[..., 2:])).all(axis=2)
    owner = near[np.arange(len(near)), inside.argmax(axis=1)]
    return np.where(inside.any(axis=1), tiles["tile_id"].to_numpy(np.int64)[owner], -1)
