"""Global cell-graph features with the names and definitions of HistomicsTK's ``compute_global_cell_graph_features``.

Written from the definitions (Doyle et al. 2008, ISBI), for comparison with that package; defined for any set of nuclei.
Statistics: values farther than 3 population SD from the mean are dropped again and again; then mean, population SD,
min/max ratio and ``disorder = SD / (mean + SD)``.  GroupedValues: area, perimeter and largest width of the bounded
Voronoi cells; sides (each once) and areas of the Delaunay triangles; branches of the minimum spanning tree; number of
other nuclei within each distance; distance to the k-th neighbour.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.features import voronoi
from pipeline.cellgraph.features.grouped_statistics import GroupedValues, summarise, without_outliers
from pipeline.cellgraph.features.published_neighbourhoods import NEIGHBOUR_COUNTS, NEIGHBOUR_RADII_PX
from pipeline.cellgraph.features.spanning_tree import branch_lengths
from pipeline.cellgraph.graphs.csr import checked_offsets, checked_points
from pipeline.cellgraph.graphs.delaunay import Triangulation, distinct_sides, triangulate
from pipeline.cellgraph.graphs.edge_lists import lengths
from pipeline.cellgraph.graphs.neighbour_distances import count_within, nearest_distances
from pipeline.cellgraph.graphs.triangle_geometry import triangle_areas

STATISTICS = {"mean": "mean", "stddev": "sd", "min_max_ratio": "min_max", "disorder": "disorder"}
"""HistomicsTK's names of the statistics and ours."""


def histomicstk_feature_names(
    neighbor_distances: Sequence[float] = NEIGHBOUR_RADII_PX, neighbor_counts: Sequence[int] = NEIGHBOUR_COUNTS
) -> tuple[str, ...]:
    """HistomicsTK's names, in the order of ``histomicstk_features``."""
    quantities = (
        *("voronoi_area", "voronoi_peri", "voronoi_max_dist", "delaunay_sides", "delaunay_area", "mst_branches"),
        *(f"density_neighbors_in_distance_{rank}" for rank in range(len(neighbor_distances))),
        *(f"density_distance_for_neighbors_{rank}" for rank in range(len(neighbor_counts))),
    )
    return tuple(f"{quantity}_{statistic}" for quantity in quantities for statistic in STATISTICS)


def histomicstk_features(
    xy_px: npt.ArrayLike,
    neighbor_distances: Sequence[float] = NEIGHBOUR_RADII_PX,
    neighbor_counts: Sequence[int] = NEIGHBOUR_COUNTS,
) -> dict[str, float]:
    """HistomicsTK's global cell-graph features of one set of nuclei.

    Parameters
    ----------
    xy_px
        Centroids (n, 2).
    neighbor_distances
        Radii of ``density_neighbors_in_distance_<rank>``, in the unit of ``xy_px``; ranks follow the sorted radii.
    neighbor_counts
        Numbers k of ``density_distance_for_neighbors_<rank>``; ranks follow the sorted numbers.

    Returns
    -------
    dict
        Value by name, 24 + 4 for each distance and each count; NaN where undefined.

    Raises
    ------
    ValueError
        If ``xy_px`` is not of shape (n, 2) or not finite, or a distance or count is not positive.
    """
    points = checked_points(xy_px)
    batch = histomicstk_features_batch(points, np.array([0, len(points)]), neighbor_distances, neighbor_counts)
    return {name: float(values[0]) for name, values in batch.items()}


def histomicstk_features_batch(
    xy_px: npt.ArrayLike,
    offsets: npt.ArrayLike,
    neighbor_distances: Sequence[float] = NEIGHBOUR_RADII_PX,
    neighbor_counts: Sequence[int] = NEIGHBOUR_COUNTS,
) -> dict[str, Float64s]:
    """HistomicsTK's global cell-graph features of many sets of nuclei.

    Parameters
    ----------
    xy_px
        Centroids (n, 2) of all sets, grouped.
    offsets
        int (n_sets + 1,); set p has rows ``offsets[p]:offsets[p + 1]``.
    neighbor_distances, neighbor_counts
        As in ``histomicstk_features``.

    Returns
    -------
    dict
        float64 (n_sets,) by name.

    Raises
    ------
    ValueError
        As ``histomicstk_features``, or if ``offsets`` do not fit.
    """
    points = checked_points(xy_px)
    checked = checked_offsets(offsets, len(points))
    if min(neighbor_distances, default=1) <= 0 or min(neighbor_counts, default=1) <= 0:
        raise ValueError("neighbor_distances and neighbor_counts must be positive.")
    triangulation = triangulate(points, checked)
    grouped = {
        **_voronoi_values(triangulation),
        **_delaunay_values(triangulation),
        "mst_branches": branch_lengths(triangulation),
        **_density_values(points, checked, sorted(neighbor_distances), sorted(neighbor_counts)),
    }
    features: dict[str, Float64s] = {}
    for name, values in grouped.items():
        summary = summarise(without_outliers(values), ddof=0)
        features |= {f"{name}_{theirs}": getattr(summary, ours) for theirs, ours in STATISTICS.items()}
    return features


def _voronoi_values(triangulation: Triangulation) -> dict[str, GroupedValues]:
    cells = voronoi.bounded_cells(triangulation)
    return {
        "voronoi_area": voronoi.areas(cells),
        "voronoi_peri": voronoi.perimeters(cells),
        "voronoi_max_dist": voronoi.widths(cells),
    }


def _delaunay_values(triangulation: Triangulation) -> dict[str, GroupedValues]:
    sides = distinct_sides(triangulation.triangles, len(triangulation.xy))
    side_lengths = lengths(triangulation.xy, sides[0], sides[1])
    areas = triangle_areas(triangulation.xy, triangulation.triangles)
    return {
        "delaunay_sides": GroupedValues(side_lengths, triangulation.tile_offsets(sides[0])),
        "delaunay_area": GroupedValues(areas, triangulation.tile_offsets(triangulation.triangles[:, 0])),
    }


def _density_values(
    xy: Float64s, offsets: Int64s, distances: Sequence[float], counts: Sequence[int]
) -> dict[str, GroupedValues]:
    grouped = {}
    if distances:
        for rank, near in enumerate(count_within(xy, offsets, distances).T):
            grouped[f"density_neighbors_in_distance_{rank}"] = GroupedValues(near.astype(np.float64), offsets)
    if counts:
        nearest = nearest_distances(xy, offsets, max(counts))
        for rank, count in enumerate(counts):
            grouped[f"density_distance_for_neighbors_{rank}"] = GroupedValues(nearest[:, count - 1], offsets)
    return grouped
