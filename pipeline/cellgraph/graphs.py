"""Cell graphs: which nuclei of a tile are joined.

Frame: micrometres, any origin, y down; axes in radians from +x towards +y.  Edges never leave a tile.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.cellgraph.axes import axial_difference
from pipeline.cellgraph.csr import Bools, Floats, Ints, checked_offsets, checked_points, offsets_of_tiles, tile_of_each
from pipeline.cellgraph.neighbours import pairs_within
from pipeline.cellgraph.params import CellGraphParams


@dataclass(frozen=True)
class TiledNuclei:
    """Nuclei of the tiles of a slide, grouped by tile.

    Attributes
    ----------
    xy_um
        float64 (n, 2), centroids.
    orientation_rad
        float64 (n,), axial direction of the major axis.
    axis_reliable
        bool (n,), whether that axis means anything; see ``axes.has_axis``.
    raw_measures
        float64 (n, 12), the measures of ``artefacts.nuclei.PAPER_MEASURES`` in the paper's units: pixels at the working
        resolution, not um.  Only ``kind: paper`` reads them.
    node_offsets
        int64 (n_tiles + 1,).
    """

    xy_um: Floats
    orientation_rad: Floats
    axis_reliable: Bools
    raw_measures: Floats
    node_offsets: Ints


@dataclass(frozen=True)
class CellGraphEdges:
    """Edges of the cell graphs of all tiles.

    Attributes
    ----------
    edge_index
        int64 (2, n_edges), rows of the nuclei; both directions, sorted by source, then target; no self-loops.
    edge_offsets
        int64 (n_tiles + 1,).
    length_um
        float64 (n_edges,), distance of the centroids.
    delta_orientation
        float64 (n_edges,), angle between the axes in radians, 0 to pi/2, whether they are reliable or not.
    """

    edge_index: Ints
    edge_offsets: Ints
    length_um: Floats
    delta_orientation: Floats


def build_graphs_batch(nuclei: TiledNuclei, params: CellGraphParams, *, mpp: float) -> CellGraphEdges:
    """Join the nuclei of each tile by the rule ``params.kind``.

    Parameters
    ----------
    nuclei
        Nuclei of all tiles.
    params
        The rule and its thresholds; all bounds are inclusive.
    mpp
        Working resolution in um/px, for the paper's radius in pixels.

    Returns
    -------
    CellGraphEdges
        Edges of all tiles.

    Raises
    ------
    ValueError
        If centroids are not finite or offsets do not fit them.
    """
    xy_um = checked_points(nuclei.xy_um)
    offsets = checked_offsets(nuclei.node_offsets, len(xy_um))
    radius_um = params.paper_radius_px * mpp if params.kind == "paper" else params.radius_um
    pairs, length_um = pairs_within(xy_um, offsets, radius_um)
    delta = axial_difference(nuclei.orientation_rad[pairs[0]], nuclei.orientation_rad[pairs[1]])
    joined = _joined(nuclei, params, pairs, delta)
    return _both_directions(pairs[:, joined], length_um[joined], delta[joined], offsets)


def _joined(nuclei: TiledNuclei, params: CellGraphParams, pairs: Ints, delta: Floats) -> Bools:
    if params.kind == "paper":
        similar: Bools = cosine_similarity(nuclei.raw_measures, pairs) >= params.paper_min_cosine
        return similar
    if params.kind == "radius":
        return np.ones(pairs.shape[1], np.bool_)
    axes = nuclei.axis_reliable[pairs].all(axis=0)
    agreeing: Bools = axes & (delta <= np.deg2rad(params.max_delta_orientation_deg))
    return agreeing if params.axisless_nuclei == "leave_unjoined" else agreeing | ~axes


def cosine_similarity(raw_measures: Floats, pairs: Ints) -> Floats:
    """Cosine of the angle between the measures of the two nuclei of each pair.

    Measures that are not finite count as 0, as in the paper's code; a nucleus whose measures are all 0 has similarity 0
    with any other.
    """
    finite = np.where(np.isfinite(raw_measures), raw_measures, 0.0)
    length = np.sqrt((finite**2).sum(axis=1, keepdims=True))
    unit = finite / np.where(length > 0, length, 1.0)
    similarity: Floats = np.einsum("ij,ij->i", unit[pairs[0]], unit[pairs[1]])
    return similarity


def _both_directions(pairs: Ints, length_um: Floats, delta: Floats, offsets: Ints) -> CellGraphEdges:
    edge_index = np.concatenate([pairs, pairs[::-1]], axis=1)
    order = np.lexsort((edge_index[1], edge_index[0]))
    edge_index = edge_index[:, order]
    edge_offsets = offsets_of_tiles(tile_of_each(offsets)[edge_index[0]], len(offsets) - 1)
    return CellGraphEdges(edge_index, edge_offsets, np.tile(length_um, 2)[order], np.tile(delta, 2)[order])
