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
7. to 9. the same over edges of length (0, 12], (12, 22] and (22, 32] um;
10. and 11. mean and sample SD of ``cos 2 (phi_ij - theta_i)`` over both ends of all edges, phi the direction of the
    edge: 1 where nuclei lie end to end, -1 where they stand side by side, as in a palisade;
12. to 24. the thirteen statistics of Cell Orientation Entropy, relative to the local mean axis (``cooccurrence``).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cellgraph.axes import doubled, mean_axis
from pipeline.cellgraph.cooccurrence import CORE_NAMES, N_BINS, axial_bin, cooccurrence, core_statistics, entropy
from pipeline.cellgraph.csr import Bools, Floats, checked_points, offsets_of_tiles, segment_sum
from pipeline.cellgraph.populations import Populations, Summary, summarise
from pipeline.cellgraph.simple_graph import SimpleGraphs, simple_graphs

SHELLS_UM = ((0.0, 12.0), (12.0, 22.0), (22.0, 32.0))
"""Distances of features 7-9: touching, next and next but one nuclei.  Ours."""

ORIENTATION_FEATURE_NAMES = (
    "axis_reliable_share",
    "nematic_order",
    "axial_entropy",
    "local_nematic_order_mean",
    "local_nematic_order_sd",
    "axis_agreement_mean",
    *(f"axis_agreement_{low:g}_{high:g}um_mean" for low, high in SHELLS_UM),
    "edge_to_axis_mean",
    "edge_to_axis_sd",
    *CORE_NAMES,
)
"""Names of the 24 orientation features, in order."""


@dataclass(frozen=True)
class _Axes:
    """Nuclei of all patches and the edges between those with a reliable axis."""

    xy_um: Floats
    vectors: Floats  # exp(2 i theta) as (n, 2); zero without a reliable axis
    theta: Floats
    reliable: Bools
    graphs: SimpleGraphs

    @property
    def n_patches(self) -> int:
        return len(self.graphs.node_offsets) - 1

    def over_nuclei(self, values: Floats, chosen: Bools) -> Summary:
        offsets = offsets_of_tiles(self.graphs.tile[chosen], self.n_patches)
        return summarise(Populations(values[chosen], offsets))

    def over_edges(self, values: Floats, chosen: Bools) -> Summary:
        offsets = offsets_of_tiles(self.graphs.tile[self.graphs.edges[0][chosen]], self.n_patches)
        return summarise(Populations(values[chosen], offsets))


def orientation_features(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    *,
    axis_reliable: npt.ArrayLike | None = None,
) -> Floats:
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
        float64 (24,), see ``ORIENTATION_FEATURE_NAMES``; NaN where undefined: all but the share without a reliable
        axis, 4 to 24 without an edge, SDs of one value, and what needs a mean axis where axes cancel.

    Raises
    ------
    ValueError
        If shapes do not fit each other or ``edge_index`` names a nucleus that is not there.
    """
    points = checked_points(xy_um)
    offsets = np.array([0, len(points)])
    batch = orientation_features_batch(points, orientation_rad, edge_index, offsets, axis_reliable=axis_reliable)
    features: Floats = batch[0]
    return features


def orientation_features_batch(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    node_offsets: npt.ArrayLike,
    *,
    axis_reliable: npt.ArrayLike | None = None,
) -> Floats:
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
        float64 (n_patches, 24), each row as ``orientation_features`` of its patch.

    Raises
    ------
    ValueError
        As ``orientation_features``, or if an edge leaves its patch.
    """
    axes = _axes(xy_um, orientation_rad, edge_index, node_offsets, axis_reliable)
    n_nuclei = np.diff(axes.graphs.node_offsets)
    share = segment_sum(axes.reliable.astype(np.float64), axes.graphs.node_offsets) / np.where(
        n_nuclei > 0, n_nuclei, np.nan
    )
    columns = [share, *_global_order(axes), *_local_order(axes), *_agreement(axes), *_edge_to_axis(axes)]
    return np.concatenate([np.stack(columns, axis=1), _core(axes)], axis=1)


def _axes(
    xy_um: npt.ArrayLike,
    orientation_rad: npt.ArrayLike,
    edge_index: npt.ArrayLike,
    node_offsets: npt.ArrayLike,
    axis_reliable: npt.ArrayLike | None,
) -> _Axes:
    points, theta = checked_points(xy_um), np.asarray(orientation_rad, np.float64)
    reliable = np.isfinite(theta) if axis_reliable is None else np.asarray(axis_reliable, np.bool_) & np.isfinite(theta)
    graphs = simple_graphs(node_offsets, edge_index)
    if not len(points) == len(theta) == len(reliable) == len(graphs.tile):
        raise ValueError(
            f"expected one centroid, axis and flag per nucleus, found {len(points)}, {len(theta)} and {len(reliable)} "
            f"for {len(graphs.tile)} nuclei."
        )
    kept = reliable[graphs.edges].all(axis=0)
    theta = np.where(reliable, theta, 0.0)
    return _Axes(
        points,
        doubled(theta) * reliable[:, None],
        theta,
        reliable,
        simple_graphs(graphs.node_offsets, graphs.edges[:, kept]),
    )


def _global_order(axes: _Axes) -> list[Floats]:
    """Features 2 and 3."""
    n_reliable = segment_sum(axes.reliable.astype(np.float64), axes.graphs.node_offsets)
    mean = segment_sum(axes.vectors, axes.graphs.node_offsets) / np.where(n_reliable > 0, n_reliable, np.nan)[:, None]
    reference = mean_axis(mean)
    tile = axes.graphs.tile[axes.reliable]
    relative = axes.theta[axes.reliable] - reference[tile]
    counts = np.bincount(tile * N_BINS + axial_bin(np.nan_to_num(relative)), minlength=axes.n_patches * N_BINS).reshape(
        -1, N_BINS
    )
    disorder = entropy(counts / np.where(n_reliable > 0, n_reliable, np.nan)[:, None]) / np.log(N_BINS)
    return [np.hypot(mean[:, 0], mean[:, 1]), np.where(np.isnan(reference), np.nan, disorder)]


def _neighbourhood_means(axes: _Axes) -> Floats:
    """Mean of ``exp(2 i theta)`` over each nucleus and its neighbours, (n, 2)."""
    sums = axes.vectors + segment_sum(axes.vectors[axes.graphs.edges[1]], axes.graphs.edge_offsets)
    means: Floats = sums / (axes.graphs.degree + 1)[:, None]
    return means


def _local_order(axes: _Axes) -> list[Floats]:
    """Features 4 and 5."""
    means = _neighbourhood_means(axes)
    summary = axes.over_nuclei(np.hypot(means[:, 0], means[:, 1]), axes.graphs.degree > 0)
    return [summary.mean, summary.sd]


def _agreement(axes: _Axes) -> list[Floats]:
    """Features 6 to 9."""
    source, target = axes.graphs.edges
    agreement = (axes.vectors[source] * axes.vectors[target]).sum(axis=1)
    length_um = np.hypot(*(axes.xy_um[target] - axes.xy_um[source]).T)
    shells = [(length_um > low) & (length_um <= high) for low, high in SHELLS_UM]
    everywhere = np.ones(len(source), np.bool_)
    return [axes.over_edges(agreement, chosen).mean for chosen in (everywhere, *shells)]


def _edge_to_axis(axes: _Axes) -> list[Floats]:
    """Features 10 and 11; coincident centroids have no direction between them."""
    source, target = axes.graphs.edges
    step = axes.xy_um[target] - axes.xy_um[source]
    along = (doubled(np.arctan2(step[:, 1], step[:, 0])) * axes.vectors[source]).sum(axis=1)
    summary = axes.over_edges(along, step.any(axis=1))
    return [summary.mean, summary.sd]


def _core(axes: _Axes) -> Floats:
    """Features 12 to 24: both axes of an edge are taken relative to the mean axis around its source."""
    source, target = axes.graphs.edges
    reference = mean_axis(_neighbourhood_means(axes))[source]
    known = ~np.isnan(reference)
    at_source, at_target = (axial_bin((axes.theta[end] - reference)[known]) for end in (source, target))
    return core_statistics(cooccurrence(at_source, at_target, axes.graphs.tile[source[known]], axes.n_patches))
