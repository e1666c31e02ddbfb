"""How the axes of the nuclei of a patch agree, with each other and with the lines that join them.

Axes have no sense, so every angle enters doubled.  All values stay as they are when the tissue is moved, turned or
mirrored.  Nuclei without a reliable axis have no part in them but for the share they leave.

Below, theta_i is the axis of nucleus i, N(i) its neighbours with a reliable axis, and an edge joins two nuclei with
reliable axes.  In the order of ``ORIENTATION_FEATURE_NAMES``:

1. share of nuclei with a reliable axis;
2. nematic order ``S = |mean exp(2 i theta)|``, 0 (no order) to 1 (parallel) (de Gennes and Prost 1993, in the plane);
3. entropy of the angles to the patch's mean axis in bins of 10 degrees, over log 18, 0 to 1;
4. and 5. mean and sample SD over nuclei with neighbours of the local nematic order
   ``|mean over N(i) and i of exp(2 i theta)|``;
6. agreement ``mean cos 2 (theta_i - theta_j)`` over edges, -1 (perpendicular) to 1 (parallel);
7. to 11. C(r), the same over *all* pairs of the patch with reliable axes at distances in (0, 12], (12, 22], (22, 32],
    (32, 48] and (48, 64] um, neighbours or not;
12. correlation length: the integral of C over r up to the first shell in which C <= 0, 0 to 64 um (as the integral
    scale of turbulence; Batchelor 1953);
13. and 14. mean and sample SD of ``cos 2 (phi_ij - theta_i)`` over both ends of all edges, phi the direction of the
    edge: 1 where nuclei lie end to end, -1 where they stand side by side, as in a palisade;
15. to 17. share of edge ends whose angle between edge and axis is in [0, 30), [30, 60) and [60, 90] degrees;
18. entropy of that angle in nine bins of 10 degrees, over log 9, 0 to 1;
19. to 31. the thirteen statistics of Cell Orientation Entropy, relative to the local mean axis, of all edges together
    (``axis_cooccurrence``; ``core_features_batch`` has those of local graphs).
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s
from pipeline.cellgraph.features.axis_cooccurrence import (
    CORE_NAMES,
    N_BINS,
    axial_bins,
    cooccurrence,
    core_statistics,
    entropy,
)
from pipeline.cellgraph.features.oriented_graphs import OrientedGraphs, oriented_graphs
from pipeline.cellgraph.graphs.axes import angles_to_axis, mean_axis
from pipeline.cellgraph.graphs.buckets import summed_agreement
from pipeline.cellgraph.graphs.csr import checked_points, offsets_of_tiles, segment_sum

SHELLS_UM = (0.0, 12.0, 22.0, 32.0, 48.0, 64.0)
"""Bounds of the distances of features 7-11: touching nuclei, next, next but one, and two farther.  Ours."""

EDGE_SHARES_DEG = (0, 30, 60, 90)
"""Bounds of the angles between edge and axis whose shares are features."""

EDGE_BINS = 9
"""Bins of these angles, of 10 degrees, whose entropy is one."""

ON_BOUND = 1e-9
"""Guard: an angle on the bound of a bin belongs to the upper one, whatever its rounding."""

ORIENTATION_FEATURE_NAMES = (
    "axis_reliable_share",
    "nematic_order",
    "axial_entropy",
    "local_nematic_order_mean",
    "local_nematic_order_sd",
    "axis_agreement_mean",
    *(f"axis_agreement_{low:g}_{high:g}um_mean" for low, high in pairwise(SHELLS_UM)),
    "axis_correlation_length_um",
    "edge_to_axis_mean",
    "edge_to_axis_sd",
    *(f"edge_to_axis_{low}_{high}deg_share" for low, high in pairwise(EDGE_SHARES_DEG)),
    "edge_to_axis_entropy",
    *CORE_NAMES,
)
"""Names of the 31 orientation features, in order."""


def orientation_features(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    *,
    axis_reliable: npt.ArrayLike | None = None,
) -> Float64s:
    """Orientation features of the nuclei of one patch.

    Parameters
    ----------
    xy_um
        Centroids (n, 2) in um; the origin does not matter.
    orientation_rad
        Axes (n,) in radians, in the frame of ``xy_um`` from +x towards +y.
    edge_index
        int (2, n_edges), which nuclei are neighbours, in one direction or both; repeats and self-loops do not count.
    axis_reliable
        bool (n,), which axes mean anything; None means all that are finite.

    Returns
    -------
    numpy.ndarray
        float64 (31,), see ``ORIENTATION_FEATURE_NAMES``; NaN where undefined: all but the share without a reliable
        axis, those of edges without an edge, those of a shell without a pair in it, SDs of one value, and what needs a
        mean axis where axes cancel.

    Raises
    ------
    ValueError
        If shapes do not fit each other or ``edge_index`` names a nucleus that is not there.
    """
    points = checked_points(xy_um)
    offsets = np.array([0, len(points)])
    batch = orientation_features_batch(points, orientation_rad, edge_index, offsets, axis_reliable=axis_reliable)
    features: Float64s = batch[0]
    return features


def orientation_features_batch(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    node_offsets: npt.ArrayLike,
    *,
    axis_reliable: npt.ArrayLike | None = None,
) -> Float64s:
    """Orientation features of the nuclei of many patches.

    Parameters
    ----------
    xy_um, orientation_rad, edge_index, axis_reliable
        As in ``orientation_features``, for the nuclei of all patches, grouped by patch; edges number them over all
        patches.
    node_offsets
        int (n_patches + 1,); patch p has rows ``node_offsets[p]:node_offsets[p + 1]``.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 31), each row as ``orientation_features`` of its patch.

    Raises
    ------
    ValueError
        As ``orientation_features``, or if an edge leaves its patch.
    """
    axes = oriented_graphs(xy_um, orientation_rad, edge_index, node_offsets, axis_reliable)
    n_nuclei = np.diff(axes.graphs.node_offsets)
    share = segment_sum(axes.reliable.astype(np.float64), axes.graphs.node_offsets) / np.where(
        n_nuclei > 0, n_nuclei, np.nan
    )
    columns = [share, *_global_order(axes), *_local_order(axes), _agreement(axes)]
    blocks = [np.stack(columns, axis=1), _correlation(axes), _edge_to_axis(axes), _core(axes)]
    return np.concatenate(blocks, axis=1)


def _global_order(axes: OrientedGraphs) -> list[Float64s]:
    """Features 2 and 3."""
    n_reliable = segment_sum(axes.reliable.astype(np.float64), axes.graphs.node_offsets)
    mean = segment_sum(axes.vectors, axes.graphs.node_offsets) / np.where(n_reliable > 0, n_reliable, np.nan)[:, None]
    reference = mean_axis(mean)
    tile = axes.graphs.tile[axes.reliable]
    relative = axes.theta[axes.reliable] - reference[tile]
    flat = tile * N_BINS + axial_bins(np.nan_to_num(relative))
    counts = np.bincount(flat, minlength=axes.n_patches * N_BINS).reshape(-1, N_BINS)
    disorder = entropy(counts / np.where(n_reliable > 0, n_reliable, np.nan)[:, None]) / np.log(N_BINS)
    return [np.hypot(mean[:, 0], mean[:, 1]), np.where(np.isnan(reference), np.nan, disorder)]


def _local_order(axes: OrientedGraphs) -> list[Float64s]:
    """Features 4 and 5."""
    means = axes.neighbourhood_means()
    summary = axes.over_nuclei(np.hypot(means[:, 0], means[:, 1]), axes.graphs.degree > 0)
    return [summary.mean, summary.sd]


def _agreement(axes: OrientedGraphs) -> Float64s:
    """Feature 6."""
    source, target = axes.graphs.edges
    agreement = (axes.vectors[source] * axes.vectors[target]).sum(axis=1)
    return axes.over_edges(agreement, np.ones(len(source), np.bool_)).mean


def _correlation(axes: OrientedGraphs) -> Float64s:
    """Features 7 to 12; an empty shell before the end of the correlation leaves its length undefined."""
    bounds = np.array(SHELLS_UM)
    offsets = offsets_of_tiles(axes.graphs.tile[axes.reliable], axes.n_patches)
    sums, n_pairs = summed_agreement(axes.xy_um[axes.reliable], offsets, axes.vectors[axes.reliable], bounds)
    agreement = sums / np.where(n_pairs > 0, n_pairs, np.nan)
    lasting = np.cumprod(~(agreement <= 0), axis=1)
    # Without the product a shell beyond the end would count, even an empty one.
    length = np.where(lasting, agreement, 0.0) @ np.diff(bounds)
    return np.column_stack([agreement, length])


def _edge_to_axis(axes: OrientedGraphs) -> Float64s:
    """Features 13 to 18; coincident centroids have no direction between them."""
    angle = angles_to_axis(axes.xy_um, axes.theta, axes.graphs.edges)
    directed = ~np.isnan(angle)
    summary = axes.over_edges(np.cos(2.0 * angle), directed)
    ninths = np.rad2deg(angle[directed]) * EDGE_BINS / 90.0
    bins = np.minimum((ninths + ON_BOUND).astype(np.int64), EDGE_BINS - 1)
    flat = axes.graphs.tile[axes.graphs.edges[0, directed]] * EDGE_BINS + bins
    counts = np.bincount(flat, minlength=axes.n_patches * EDGE_BINS).reshape(-1, EDGE_BINS)
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(total > 0, total, np.nan)
    thirds = shares.reshape(-1, len(EDGE_SHARES_DEG) - 1, EDGE_BINS // 3).sum(axis=2)
    return np.column_stack([summary.mean, summary.sd, thirds, entropy(shares) / np.log(EDGE_BINS)])


def _core(axes: OrientedGraphs) -> Float64s:
    """Features 19 to 31: both axes of an edge are taken relative to the mean axis around its source."""
    source, target = axes.graphs.edges
    reference = mean_axis(axes.neighbourhood_means())[source]
    known = ~np.isnan(reference)
    at_source, at_target = (axial_bins((axes.theta[end] - reference)[known]) for end in (source, target))
    return core_statistics(cooccurrence(at_source, at_target, axes.graphs.tile[source[known]], axes.n_patches))
