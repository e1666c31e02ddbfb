"""The feature blocks by name: what each is called in the configuration, its features, and how they are computed.

A new block is one module with its names and its batch function, its name in ``params.FeatureBlock``, and one line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.nuclei import TYPE
from pipeline.cellgraph.features.cell_orientation_entropy import (
    CORE_FEATURE_NAMES,
    PUBLISHED_CORE_FEATURE_NAMES,
    core_features_batch,
    published_core_features_batch,
)
from pipeline.cellgraph.features.cell_type_features import cell_type_feature_names, cell_type_features_batch
from pipeline.cellgraph.features.graph_features import GRAPH_FEATURE_NAMES, graph_features_batch
from pipeline.cellgraph.features.histomicstk_features import histomicstk_feature_names, histomicstk_features_batch
from pipeline.cellgraph.features.morphology_features import (
    MORPHOLOGY_FEATURE_NAMES,
    MORPHOLOGY_MEASURES,
    morphology_features_batch,
)
from pipeline.cellgraph.features.orientation_features import ORIENTATION_FEATURE_NAMES, orientation_features_batch
from pipeline.cellgraph.features.spatial_features import spatial_feature_names, spatial_features_batch
from pipeline.cellgraph.graphs.axes import has_axis
from pipeline.cellgraph.graphs.csr import segment_sum
from pipeline.cellgraph.graphs.neighbour_distances import pairs_within
from pipeline.cellgraph.params import FeatureBlock, FeatureParams


@dataclass(frozen=True)
class PatchNuclei:
    """Nuclei of many patches and what is asked of them.

    Attributes
    ----------
    frame
        Rows of a nucleus table, grouped by patch.
    node_offsets
        int64 (n_patches + 1,).
    edge_index
        int64 (2, n_edges), the cell graph over all rows.
    mpp
        Working resolution, um/px.
    min_eccentricity
        Of a nucleus whose axis means something; see ``axes.has_axis``.
    params
        Radii and neighbourhoods.
    """

    frame: pd.DataFrame
    node_offsets: Int64s
    edge_index: Int64s
    mpp: float
    min_eccentricity: float
    params: FeatureParams

    @cached_property
    def xy_um(self) -> Float64s:
        """Centroids (n, 2)."""
        return self.frame[["x_um", "y_um"]].to_numpy(np.float64)

    @cached_property
    def xy_px(self) -> Float64s:
        """Centroids (n, 2) in pixels at the working resolution."""
        return self.xy_um / self.mpp

    @cached_property
    def orientation_rad(self) -> Float64s:
        """Axes (n,)."""
        return self.frame["orientation_rad"].to_numpy(np.float64)

    @cached_property
    def axis_reliable(self) -> Bools:
        """Which axes mean something, (n,)."""
        return has_axis(self.frame["eccentricity"].to_numpy(np.float64), self.orientation_rad, self.min_eccentricity)

    @cached_property
    def axis_known(self) -> Bools:
        """Of which nuclei it is known whether their axis means something, (n,)."""
        known: Bools = np.isfinite(self.frame["eccentricity"].to_numpy(np.float64)) & np.isfinite(self.orientation_rad)
        return known

    @cached_property
    def neighbours(self) -> Int64s:
        """Whose axes are compared: int64 (2, n_pairs)."""
        if self.params.orientation_neighbours == "graph":
            return self.edge_index
        pairs, _ = pairs_within(self.xy_um, self.node_offsets, self.params.orientation_radius_um)
        return pairs


@dataclass(frozen=True)
class Block:
    """One block of features.

    Attributes
    ----------
    names
        Names of its features.
    compute
        Their values, float64 (n_patches, n_features).
    """

    names: Callable[[FeatureParams], tuple[str, ...]]
    compute: Callable[[PatchNuclei], Float64s]


def feature_names(params: FeatureParams) -> tuple[str, ...]:
    """Names of the features that ``params`` ask for, in the order of the store."""
    return tuple(name for block in params.blocks for name in BLOCKS[block].names(params))


def block_features(nuclei: PatchNuclei) -> Float64s:
    """All features that the nuclei's ``params`` ask for, float64 (n_patches, n_features)."""
    return np.concatenate([BLOCKS[block].compute(nuclei) for block in nuclei.params.blocks], axis=1)


def _paper_names(params: FeatureParams) -> tuple[str, ...]:
    return (*spatial_feature_names(params.neighbour_radii_px), *GRAPH_FEATURE_NAMES)


def _paper(nuclei: PatchNuclei) -> Float64s:
    radii_px = nuclei.params.neighbour_radii_px
    spatial = spatial_features_batch(nuclei.xy_px, nuclei.node_offsets, radii_px=radii_px)
    return np.concatenate([spatial, graph_features_batch(nuclei.node_offsets, nuclei.edge_index)], axis=1)


def _of_axes(compute: Callable[..., Float64s]) -> Callable[[PatchNuclei], Float64s]:
    """A batch function that compares the axes of neighbours, as a block's."""

    def of_nuclei(nuclei: PatchNuclei) -> Float64s:
        places = nuclei.xy_um, nuclei.orientation_rad, nuclei.neighbours, nuclei.node_offsets
        return compute(*places, axis_reliable=nuclei.axis_reliable)

    return of_nuclei


def _orientation(nuclei: PatchNuclei) -> Float64s:
    """``orientation_features_batch``, whose share is over the nuclei whose axis is known."""
    features = _of_axes(orientation_features_batch)(nuclei)
    if not nuclei.axis_known.all():
        n_reliable, n_known = (
            segment_sum(flags.astype(np.float64), nuclei.node_offsets)
            for flags in (nuclei.axis_reliable, nuclei.axis_known)
        )
        share = ORIENTATION_FEATURE_NAMES.index("axis_reliable_share")
        features[:, share] = n_reliable / np.where(n_known > 0, n_known, np.nan)
    return features


def _histomicstk_names(params: FeatureParams) -> tuple[str, ...]:
    return tuple(f"histomicstk_{name}" for name in histomicstk_feature_names(params.neighbour_radii_px))


def _histomicstk(nuclei: PatchNuclei) -> Float64s:
    by_name = histomicstk_features_batch(nuclei.xy_px, nuclei.node_offsets, nuclei.params.neighbour_radii_px)
    return np.stack(list(by_name.values()), axis=1)


def _morphology(nuclei: PatchNuclei) -> Float64s:
    return morphology_features_batch(nuclei.frame[list(MORPHOLOGY_MEASURES)].to_numpy(np.float64), nuclei.node_offsets)


def _cell_types(nuclei: PatchNuclei) -> Float64s:
    """``cell_type_features_batch``; NaN throughout where the slide's nuclei have no types."""
    n_types = len(nuclei.params.cell_types)
    if TYPE not in nuclei.frame:
        return np.full((len(nuclei.node_offsets) - 1, len(cell_type_feature_names(nuclei.params.cell_types))), np.nan)
    number = pd.Series(range(n_types), index=list(nuclei.params.cell_types))
    types = number.reindex(nuclei.frame[TYPE].astype(object)).fillna(-1).to_numpy(np.int64)
    return cell_type_features_batch(types, nuclei.edge_index, nuclei.node_offsets, n_types)


def _always(names: tuple[str, ...]) -> Callable[[FeatureParams], tuple[str, ...]]:
    return lambda _: names


BLOCKS: dict[FeatureBlock, Block] = {
    "paper": Block(_paper_names, _paper),
    "orientation": Block(_always(ORIENTATION_FEATURE_NAMES), _orientation),
    "core": Block(_always(CORE_FEATURE_NAMES), _of_axes(core_features_batch)),
    "core_published": Block(_always(PUBLISHED_CORE_FEATURE_NAMES), _of_axes(published_core_features_batch)),
    "histomicstk": Block(_histomicstk_names, _histomicstk),
    "morphology": Block(_always(MORPHOLOGY_FEATURE_NAMES), _morphology),
    "cell_types": Block(lambda params: cell_type_feature_names(params.cell_types), _cell_types),
}
