"""Each nucleus counted once and whole: it belongs to the tile whose box holds its centroid.

Frames: ``_um`` and ``_l0`` as in ``pipeline.units``; a block's pixels start at its origin,
which lies a halo outside its tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from pipeline.arrays import Bools, Float64s, Int64s, Rgb
from pipeline.artefacts.nuclei import COLUMNS
from pipeline.artefacts.tables import empty_frame
from pipeline.logs import get_logger
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.bounding_boxes import bounding_boxes
from pipeline.nuclei.measures.nucleus_morphology import measure_nuclei
from pipeline.nuclei.segmentation.tile_blocks import Block

logger = get_logger("nuclei")

SAME_NUCLEUS = 0.5
"""Two nuclei of different blocks nearer than this share of the smaller minor axis are one, seen twice."""


@dataclass(frozen=True)
class BlockPlace:
    """Where a block's pixels lie and the tiles whose nuclei it gives.

    Attributes
    ----------
    tile_ids
        Their rows in the tile table; the first names the block.
    origin_um
        Top-left corner (x, y) of its pixels, halo included, um.
    boxes_um
        Half-open boxes x0, y0, x1, y1 of the centroids that each tile owns, um.
    """

    tile_ids: tuple[int, ...]
    origin_um: tuple[float, float]
    boxes_um: tuple[tuple[float, float, float, float], ...]


def block_places(
    tiles: pd.DataFrame,
    boxes_l0: Int64s,
    blocks: Sequence[Block],
    *,
    halo_px: int,
    slide_mpp: float,
) -> list[BlockPlace]:
    """Place of each block of a tile table read with ``halo_px``; ``boxes_l0`` from ``artefacts.tiles.ownership_l0``."""
    ids = tiles["tile_id"].tolist()
    boxes = [(x0, y0, x1, y1) for x0, y0, x1, y1 in (boxes_l0 * slide_mpp).tolist()]
    places = []
    for block in blocks:
        halo_l0 = halo_px * block.width_l0 / block.side_px
        origin = ((block.x_l0 - halo_l0) * slide_mpp, (block.y_l0 - halo_l0) * slide_mpp)
        rows = block.rows
        places.append(BlockPlace(tuple(ids[row] for row in rows), origin, tuple(boxes[row] for row in rows)))
    return places


def owned_nuclei(labels: Labels, rgb: Rgb, mpp: float, place: BlockPlace) -> pd.DataFrame:
    """Measures of the nuclei of one block that its tiles own.

    Parameters
    ----------
    labels, rgb
        The block with its halo, (h, w) and (h, w, 3); nuclei 1 to n.
    mpp
        um/px.

    Returns
    -------
    Columns of a nucleus table but for ``nucleus_id``, in the slide's frame, and
    three more: ``label``, the nucleus' label in ``labels``, ``cut``, whether
    it reaches the edge of the halo and so may go on beyond it, and ``block``,
    the first of ``place.tile_ids``.
    """
    measured = measure_nuclei(labels, rgb, mpp)
    measured["label"] = np.arange(1, len(measured) + 1)
    measured["cut"] = _at_edge(labels, len(measured))
    measured["block"] = place.tile_ids[0]
    measured["x_um"] += place.origin_um[0]
    measured["y_um"] += place.origin_um[1]
    owner = _owner(measured["x_um"].to_numpy(), measured["y_um"].to_numpy(), place)
    measured["tile_id"] = owner
    owned = measured[owner >= 0].reset_index(drop=True)
    moved = shapely.transform(owned["contour_um"].to_numpy(), lambda points: points + place.origin_um)
    # Bytes at once: a slide's worth of polygons takes several times the memory.
    owned["contour_um"] = shapely.to_wkb(moved)
    return owned


def _owner(x_um: Float64s, y_um: Float64s, place: BlockPlace) -> Int64s:
    """tile_id (n,) of the tile that owns each point; -1 of one that none does."""
    x0, y0, x1, y1 = np.array(place.boxes_um).T
    x, y = x_um[:, None], y_um[:, None]
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return np.where(inside.any(axis=1), np.array(place.tile_ids)[inside.argmax(axis=1)], -1)


def nucleus_table(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One nucleus table of the blocks' nuclei, in tile order, without those seen twice.

    A nucleus on a border whose centroid each of two blocks sees on its own side is kept in
    the first tile.  The index of the result holds positions in the concatenated ``parts``.  The
    number of nuclei that are larger than the halo is logged.
    """
    parts = [part for part in parts if len(part)]
    if not parts:
        return empty_frame(COLUMNS)
    joined = pd.concat(parts, ignore_index=True).sort_values("tile_id", kind="stable")
    once = joined[~_seen_before(joined)].copy()
    n_cut = int(once["cut"].sum())
    if n_cut:
        logger.warning(
            "%d of %d nuclei reach beyond the halo they were read with and are cut there; raise halo_um",
            n_cut,
            len(once),
        )
    once["nucleus_id"] = np.arange(len(once))
    return once[list(COLUMNS)]


def _at_edge(labels: Labels, n_nuclei: int) -> Bools:
    boxes = bounding_boxes(labels, n_nuclei)
    at_edge: Bools = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == labels.shape).any(axis=1)
    return at_edge


def _seen_before(nuclei: pd.DataFrame) -> Bools:
    centroids = nuclei[["x_um", "y_um"]].to_numpy()
    reach = SAME_NUCLEUS * nuclei["minor_axis_um"].to_numpy()
    pairs = cKDTree(centroids).query_pairs(float(reach.max()), output_type="ndarray")
    distance = np.linalg.norm(centroids[pairs[:, 0]] - centroids[pairs[:, 1]], axis=1)
    block = nuclei["block"].to_numpy()
    same = (distance < np.minimum(reach[pairs[:, 0]], reach[pairs[:, 1]])) & (block[pairs[:, 0]] != block[pairs[:, 1]])
    repeated = np.zeros(len(nuclei), dtype=bool)
    repeated[pairs[same].max(axis=1)] = True
    return repeated
