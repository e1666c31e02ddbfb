"""Cell graphs: which nuclei are joined.

Frame: micrometres, any origin, y down; axes in radians from +x towards +y.  Edges never leave a group of nuclei: a
tile, or the whole slide when it is one group.  Memory grows with the number of edges, never with the square of the
number of nuclei.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.cellgraph.graphs.axes import angles_between_axes, angles_to_axis
from pipeline.cellgraph.graphs.csr import checked_offsets, checked_points
from pipeline.cellgraph.graphs.delaunay_graph import delaunay_edges
from pipeline.cellgraph.graphs.edge_lists import both_directions, lengths
from pipeline.cellgraph.graphs.neighbour_distances import nearest_neighbours, neighbours_within
from pipeline.cellgraph.graphs.tiled_nuclei import TiledNuclei
from pipeline.cellgraph.params import CellGraphParams


@dataclass(frozen=True)
class CellGraphEdges:
    """Edges of the cell graphs of all tiles.

    Attributes
    ----------
    edge_index
        int64 (2, n_edges), rows of the nuclei; both directions, sorted by source, then target; no self-loops.
    edge_offsets
        int64 (n_tiles + 1,), edges by the tile of their source.
    length_um
        float64 (n_edges,), distance of the centroids.
    delta_orientation
        float64 (n_edges,), angle between the axes in radians, 0 to pi/2, whether they are reliable or not; NaN where
        one is not finite.
    edge_to_axis
        float64 (n_edges,), angle between the edge and the axis of its *source* in radians, 0 to pi/2, reliable or not;
        the edge back holds the angle to the other axis.  NaN where that axis is not finite, or the centroids coincide.
    weight
        float64 (n_edges,), 0 to 1: ``exp(-length / radius)``, times ``cos^2`` of the angle between the axes where
        ``kind`` is ``orientation`` and both are reliable.  1 for ``kind: paper``, whose graph is unweighted.  Ours.
    """

    edge_index: Int64s
    edge_offsets: Int64s
    length_um: Float64s
    delta_orientation: Float64s
    edge_to_axis: Float64s
    weight: Float64s


def build_graphs_batch(nuclei: TiledNuclei, params: CellGraphParams, *, mpp: float) -> CellGraphEdges:
    """Join the nuclei of each tile by the rule ``params.kind``.

    Parameters
    ----------
    nuclei
        Nuclei of all tiles.
    params
        The rule and its thresholds; all bounds are inclusive.  ``params.extent`` is not looked at: groups are those of
        ``nuclei``.
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
    edges, length_um = _candidates(xy_um, offsets, params, mpp)
    delta = angles_between_axes(nuclei.orientation_rad, edges)
    joined = _joined(nuclei, params, edges, delta)
    if not joined.all():
        edges, length_um, delta = edges[:, joined], length_um[joined], delta[joined]
    return CellGraphEdges(
        edge_index=edges,
        edge_offsets=np.searchsorted(edges[0], offsets),
        length_um=length_um,
        delta_orientation=delta,
        edge_to_axis=angles_to_axis(xy_um, nuclei.orientation_rad, edges),
        weight=_weight(nuclei, params, edges, length_um, delta),
    )


def _candidates(xy_um: Float64s, offsets: Int64s, params: CellGraphParams, mpp: float) -> tuple[Int64s, Float64s]:
    """Pairs that are near enough, both directions, sorted, and their lengths."""
    if params.kind == "knn":
        return _cut(xy_um, *_nearest_pairs(xy_um, offsets, params.n_nearest), params.radius_um)
    if params.kind == "delaunay":
        return _cut(xy_um, *delaunay_edges(xy_um, offsets), params.radius_um)
    return neighbours_within(
        xy_um, offsets, params.paper_radius_px * mpp if params.kind == "paper" else params.radius_um
    )


def _nearest_pairs(xy_um: Float64s, offsets: Int64s, k: int) -> tuple[Int64s, Int64s]:
    nearest, _ = nearest_neighbours(xy_um, offsets, k)
    is_neighbour = nearest >= 0
    return np.repeat(np.arange(len(xy_um)), is_neighbour.sum(axis=1)), nearest[is_neighbour]


def _cut(xy_um: Float64s, ends: Int64s, other_ends: Int64s, radius_um: float) -> tuple[Int64s, Float64s]:
    """Pairs no farther apart than ``radius_um``, in both directions, and their lengths."""
    near = lengths(xy_um, ends, other_ends) <= radius_um
    edges, _ = both_directions(ends[near], other_ends[near], len(xy_um))
    return edges, lengths(xy_um, edges[0], edges[1])


def _joined(nuclei: TiledNuclei, params: CellGraphParams, edges: Int64s, delta: Float64s) -> Bools:
    if params.kind == "paper":
        similar: Bools = cosine_similarity(nuclei.raw_measures, edges) >= params.paper_min_cosine
        return similar
    if params.kind != "orientation":
        return np.ones(edges.shape[1], np.bool_)
    axes = nuclei.axis_reliable[edges].all(axis=0)
    agreeing: Bools = axes & (delta <= np.deg2rad(params.max_delta_orientation_deg))
    return agreeing if params.axisless_nuclei == "leave_unjoined" else agreeing | ~axes


def cosine_similarity(raw_measures: Float64s, pairs: Int64s) -> Float64s:
    """Cosine (n_pairs,) of the angle between the measures (n, k) of the two nuclei of each of ``pairs`` (2, n_pairs).

    Measures that are not finite count as 0, as in the paper's code; a nucleus whose measures are all 0 has similarity 0
    with any other.
    """
    finite = np.where(np.isfinite(raw_measures), raw_measures, 0.0)
    length = np.sqrt((finite**2).sum(axis=1, keepdims=True))
    unit = finite / np.where(length > 0, length, 1.0)
    similarity: Float64s = np.einsum("ij,ij->i", unit[pairs[0]], unit[pairs[1]])
    return similarity


def _weight(
    nuclei: TiledNuclei, params: CellGraphParams, edges: Int64s, length_um: Float64s, delta: Float64s
) -> Float64s:
    if params.kind == "paper":
        return np.ones(len(length_um))
    near: Float64s = np.exp(-length_um / params.radius_um)
    if params.kind != "orientation":
        return near
    axes = nuclei.axis_reliable[edges].all(axis=0)
    return np.where(axes, near * np.cos(delta) ** 2, near)
