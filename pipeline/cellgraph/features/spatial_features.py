"""The 51 spatial features of ABiG-Net: Voronoi, Delaunay, spanning tree and density of the nuclei of a patch.

The set of Doyle et al. 2008 (ISBI, "Automated grading of breast cancer histopathology using spectral clustering with
textural and architectural image features") as ABiG-Net has it (Paul et al. 2025, arXiv 2510.13188), without removal
of outliers.

SD is the sample standard deviation, disorder ``1 - 1 / (1 + SD / mean)``, min_max the smallest over the largest
value.  A value that is not defined is NaN, never 0; ``docs/features.md`` says when that is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.features import voronoi
from pipeline.cellgraph.features.grouped_statistics import GroupedValues, summarise
from pipeline.cellgraph.features.published_neighbourhoods import NEIGHBOUR_COUNTS, NEIGHBOUR_RADII_PX
from pipeline.cellgraph.features.spanning_tree import branch_lengths, with_coincident
from pipeline.cellgraph.graphs.csr import checked_offsets, checked_points, segment_sum
from pipeline.cellgraph.graphs.delaunay import Triangulation, triangulate
from pipeline.cellgraph.graphs.neighbour_distances import count_within, nearest_distances
from pipeline.cellgraph.graphs.triangle_geometry import triangle_areas, triangle_sides


def spatial_feature_names(radii_px: Sequence[float] = NEIGHBOUR_RADII_PX) -> tuple[str, ...]:
    """Names of the 51 features, in the paper's order, for given radii of features 37-51."""
    return (
        "voronoi_area_total_px2",
        *_named("voronoi_area", "px2", ("sd", "mean", "min_max", "disorder")),
        *_named("voronoi_edge_length", "px", ("sd", "mean", "min_max", "disorder")),
        *_named("voronoi_chord_length", "px", ("sd", "mean", "min_max", "disorder")),
        *_named("delaunay_side_length", "px", ("min_max", "sd", "mean", "disorder")),
        *_named("delaunay_triangle_area", "px2", ("min_max", "sd", "mean", "disorder")),
        *_named("mst_branch_length", "px", ("mean", "sd", "min_max", "disorder")),
        "n_nuclei",
        "nuclei_per_voronoi_px2",
        *(
            name
            for statistic in ("mean", "sd", "disorder")
            for k in NEIGHBOUR_COUNTS
            for name in _named(f"distance_to_{k}_nearest", "px", (statistic,))
        ),
        *(f"n_within_{r:g}px_{statistic}" for statistic in ("mean", "sd", "disorder") for r in radii_px),
    )


def _named(quantity: str, unit: str, statistics: Sequence[str]) -> list[str]:
    return [f"{quantity}_{s}" if s in ("min_max", "disorder") else f"{quantity}_{s}_{unit}" for s in statistics]


SPATIAL_FEATURE_NAMES = spatial_feature_names()
"""Names of the 51 features with their units, in the paper's order."""


def spatial_features(xy_px: npt.ArrayLike, *, radii_px: Sequence[float] = NEIGHBOUR_RADII_PX) -> Float64s:
    """Spatial features of the nuclei of one patch.

    Parameters
    ----------
    xy_px
        Centroids (n, 2) in pixels at the working resolution; the origin does not matter.  Any number of nuclei,
        collinear, coincident or on a grid.
    radii_px
        Five increasing radii of features 37-51.

    Returns
    -------
    numpy.ndarray
        float64 (51,), see ``SPATIAL_FEATURE_NAMES`` and ``docs/features.md``; NaN where undefined.

    Raises
    ------
    ValueError
        If ``xy_px`` is not of shape (n, 2) or not finite.
    """
    points = checked_points(xy_px)
    features: Float64s = spatial_features_batch(points, np.array([0, len(points)]), radii_px=radii_px)[0]
    return features


def spatial_features_batch(
    xy_px: npt.ArrayLike, offsets: npt.ArrayLike, *, radii_px: Sequence[float] = NEIGHBOUR_RADII_PX
) -> Float64s:
    """Spatial features of the nuclei of many patches.

    Parameters
    ----------
    xy_px
        Centroids (n, 2) of all patches, grouped by patch, in pixels at the working resolution.
    offsets
        int (n_patches + 1,); patch p has rows ``offsets[p]:offsets[p + 1]``.
    radii_px
        Five increasing radii of features 37-51.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 51), each row as ``spatial_features`` of its patch.

    Raises
    ------
    ValueError
        If ``xy_px`` is not of shape (n, 2) or not finite, or ``offsets`` do not fit it.
    """
    points = checked_points(xy_px)
    checked = checked_offsets(offsets, len(points))
    triangulation = triangulate(points, checked)
    n_nuclei = np.diff(checked)
    n_coincident = n_nuclei - np.diff(triangulation.offsets)
    branches = with_coincident(branch_lengths(triangulation), n_coincident)
    cells = voronoi.bounded_cells(triangulation)
    area = _total_area(cells)
    with np.errstate(invalid="ignore"):
        density = n_nuclei / area
    columns = [
        area,
        *_columns(voronoi.areas(cells), ("sd", "mean", "min_max", "disorder")),
        *_columns(voronoi.edge_lengths(cells), ("sd", "mean", "min_max", "disorder")),
        *_columns(voronoi.chord_lengths(cells), ("sd", "mean", "min_max", "disorder")),
        *_delaunay_columns(triangulation),
        *_columns(branches, ("mean", "sd", "min_max", "disorder")),
        n_nuclei,
        density,
        *_by_statistic(_summed_distances(points, checked), checked),
        *_by_statistic(count_within(points, checked, radii_px), checked),
    ]
    return np.stack(columns, axis=1, dtype=np.float64)


def _total_area(cells: voronoi.VoronoiCells) -> Float64s:
    total = segment_sum(voronoi.areas(cells).values, cells.cell_offsets)
    return np.where(np.diff(cells.cell_offsets) > 0, total, np.nan)


def _columns(grouped: GroupedValues, statistics: Sequence[str]) -> list[Float64s]:
    summary = summarise(grouped)
    return [getattr(summary, statistic) for statistic in statistics]


def _delaunay_columns(triangulation: Triangulation) -> list[Float64s]:
    """Features 14-21; a side counts once for each of its triangles."""
    offsets = triangulation.tile_offsets(triangulation.triangles[:, 0])
    sides = triangle_sides(triangulation.xy, triangulation.triangles).ravel()
    areas = triangle_areas(triangulation.xy, triangulation.triangles)
    order = ("min_max", "sd", "mean", "disorder")
    return [*_columns(GroupedValues(sides, 3 * offsets), order), *_columns(GroupedValues(areas, offsets), order)]


def _summed_distances(xy: Float64s, offsets: Int64s) -> Float64s:
    """Sum of the distances of each nucleus to its 3, 5 and 7 nearest, (n, 3)."""
    sums = np.cumsum(nearest_distances(xy, offsets, max(NEIGHBOUR_COUNTS)), axis=1)
    return sums[:, np.asarray(NEIGHBOUR_COUNTS) - 1]


def _by_statistic(values: npt.NDArray[Any], offsets: Int64s) -> list[Float64s]:
    """Mean of each column of ``values`` (n, k), then SD of each, then disorder of each."""
    summaries = [summarise(GroupedValues(column.astype(np.float64), offsets)) for column in values.T]
    return [getattr(summary, statistic) for statistic in ("mean", "sd", "disorder") for summary in summaries]
