"""Each nucleus counted once and whole: it belongs to the tile whose box holds its centroid.

Frames: ``_um`` and ``_l0`` as in ``pipeline.units``; a tile's pixels start at its origin,
which lies a halo outside its box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from pipeline.artefacts.nuclei import COLUMNS
from pipeline.artefacts.tables import empty_frame
from pipeline.logs import get_logger
from pipeline.nuclei.boxes import bounding_boxes
from pipeline.nuclei.morphology import Labels, measure_nuclei
from pipeline.nuclei.stain import Rgb

logger = get_logger("nuclei")

SAME_NUCLEUS = 0.5
"""Two nuclei of different tiles nearer than this share of the smaller minor axis are one, seen twice."""


@dataclass(frozen=True)
class TilePlace:
    """Where a tile's pixels lie and what it owns.

    Attributes
    ----------
    tile_id
        Its row in the tile table.
    origin_um
        Top-left corner (x, y) of its pixels, halo included, um.
    box_um
        Half-open box x0, y0, x1, y1 of the centroids it owns, um.
    """

    tile_id: int
    origin_um: tuple[float, float]
    box_um: tuple[float, float, float, float]


def tile_places(
    tiles: pd.DataFrame, boxes_l0: npt.NDArray[np.int64], *, halo_px: int, slide_mpp: float
) -> list[TilePlace]:
    """Place of each row of a tile table read with ``halo_px``; ``boxes_l0`` from ``artefacts.tiles.ownership_l0``."""
    halo_l0 = halo_px * tiles["width_l0"].to_numpy(np.float64) / tiles["tile_px"].to_numpy()
    x_um = (tiles["x_l0"].to_numpy() - halo_l0) * slide_mpp
    y_um = (tiles["y_l0"].to_numpy() - halo_l0) * slide_mpp
    boxes = (boxes_l0 * slide_mpp).tolist()
    ids = tiles["tile_id"].tolist()
    return [
        TilePlace(tile_id, (x, y), (box[0], box[1], box[2], box[3]))
        for tile_id, x, y, box in zip(ids, x_um.tolist(), y_um.tolist(), boxes, strict=True)
    ]


def owned_nuclei(labels: Labels, rgb: Rgb, mpp: float, place: TilePlace) -> pd.DataFrame:
    """Measures of the nuclei of one tile that it owns.

    Parameters
    ----------
    labels, rgb
        The tile with its halo, (h, w) and (h, w, 3); nuclei 1 to n.
    mpp
        um/px.

    Returns
    -------
    Columns of a nucleus table but for ``nucleus_id``, in the slide's frame, and
    two more: ``label``, the nucleus' label in ``labels``, and ``cut``, whether
    it reaches the edge of the halo and so may go on beyond it.
    """
    measured = measure_nuclei(labels, rgb, mpp)
    measured["label"] = np.arange(1, len(measured) + 1)
    measured["cut"] = _at_edge(labels, len(measured))
    measured["tile_id"] = place.tile_id
    measured["x_um"] += place.origin_um[0]
    measured["y_um"] += place.origin_um[1]
    x0, y0, x1, y1 = place.box_um
    x, y = measured["x_um"], measured["y_um"]
    owned = measured[(x >= x0) & (x < x1) & (y >= y0) & (y < y1)].reset_index(drop=True)
    moved = shapely.transform(owned["contour_um"].to_numpy(), lambda points: points + place.origin_um)
    # Bytes at once: a slide's worth of polygons takes several times the memory.
    owned["contour_um"] = shapely.to_wkb(moved)
    return owned


def nucleus_table(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One nucleus table of the tiles' nuclei, in tile order, without those seen twice.

    A nucleus on a border whose centroid each of two tiles sees on its own side is kept in
    the first.  The index of the result holds positions in the concatenated ``parts``.  The
    number of nuclei that are larger than the halo is logged.
    """
    parts = [part for part in parts if len(part)]
    if not parts:
        return empty_frame(COLUMNS)
    joined = pd.concat(parts, ignore_index=True)
    once = joined[~_seen_before(joined)].copy()
    n_cut = int(once["cut"].sum())
    if n_cut:
        logger.warning(
            "%d of %d nuclei reach beyond the halo of their tile and are cut there; raise halo_um", n_cut, len(once)
        )
    once["nucleus_id"] = np.arange(len(once))
    return once[list(COLUMNS)]


def _at_edge(labels: Labels, n_nuclei: int) -> npt.NDArray[np.bool_]:
    boxes = bounding_boxes(labels, n_nuclei)
    at_edge: npt.NDArray[np.bool_] = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == labels.shape).any(axis=1)
    return at_edge


def _seen_before(nuclei: pd.DataFrame) -> npt.NDArray[np.bool_]:
    centroids = nuclei[["x_um", "y_um"]].to_numpy()
    reach = SAME_NUCLEUS * nuclei["minor_axis_um"].to_numpy()
    pairs = cKDTree(centroids).query_pairs(float(reach.max()), output_type="ndarray")
    distance = np.linalg.norm(centroids[pairs[:, 0]] - centroids[pairs[:, 1]], axis=1)
    tile = nuclei["tile_id"].to_numpy()
    same = (distance < np.minimum(reach[pairs[:, 0]], reach[pairs[:, 1]])) & (tile[pairs[:, 0]] != tile[pairs[:, 1]])
    repeated = np.zeros(len(nuclei), dtype=bool)
    repeated[pairs[same].max(axis=1)] = True
    return repeated
