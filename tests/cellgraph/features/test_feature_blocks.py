from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from pipeline.cellgraph.features.feature_blocks import BLOCKS, PatchNuclei, block_features, feature_names
from pipeline.cellgraph.features.spatial_features import spatial_features
from pipeline.cellgraph.params import FeatureBlock, FeatureParams


@pytest.fixture
def nuclei(nucleus_frame):
    def make(**params):
        frame = nucleus_frame([12, 9]).sort_values("tile_id", kind="stable")
        frame["type"] = np.resize(["Neoplastic", "Connective", None, "Neoplastic"], len(frame))
        ring = np.array([[*range(12), *range(12, 21)], [*range(1, 12), 0, *range(13, 21), 12]])
        return PatchNuclei(frame, np.array([0, 12, 21]), ring, 0.5, 0.6, FeatureParams(**params))

    return make


def test_the_configuration_knows_the_blocks_and_their_order():
    assert tuple(BLOCKS) == get_args(FeatureBlock)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_has_a_value_for_each_of_its_names(nuclei, block):
    patches = nuclei(blocks=(block,))
    values = BLOCKS[block].compute(patches)
    assert values.shape == (2, len(BLOCKS[block].names(patches.params)))
    assert np.isfinite(values).any(axis=1).all()


def test_blocks_stand_side_by_side_under_their_names(nuclei):
    patches = nuclei(blocks=("morphology", "orientation"))
    values, names = block_features(patches), feature_names(patches.params)
    assert values.shape == (2, len(names))
    assert len(set(names)) == len(names)
    assert names[:31] == BLOCKS["orientation"].names(patches.params)
    np.testing.assert_array_equal(values[:, 31:], BLOCKS["morphology"].compute(patches))


def test_the_papers_features_are_in_pixels(nuclei):
    patches = nuclei()
    first = patches.xy_um[:12] / 0.5
    np.testing.assert_allclose(BLOCKS["paper"].compute(patches)[0, :51], spatial_features(first), rtol=1e-9)


def test_axes_are_compared_within_a_radius_or_along_the_graph(nuclei):
    near = nuclei(orientation_radius_um=15.0).neighbours
    distance = np.linalg.norm(np.diff(nuclei().xy_um[near], axis=0)[0], axis=1)
    assert 0 < distance.max() <= 15.0
    along = nuclei(orientation_neighbours="graph")
    assert along.neighbours is along.edge_index


def test_round_nuclei_have_no_axis(nuclei):
    patches = nuclei()
    assert patches.axis_reliable.tolist() == (patches.frame["eccentricity"] >= 0.6).tolist()


def test_of_nuclei_without_known_axes_or_measures_what_needs_them_is_nan_and_never_zero(nuclei):
    patches = nuclei(blocks=("orientation", "core", "morphology"))
    there = {"nucleus_id", "tile_id", "x_um", "y_um", "contour_um", "type"}
    lacking = [name for name in patches.frame if name not in there]
    bare = replace(patches, frame=patches.frame.assign(**dict.fromkeys(lacking, np.nan)))
    assert np.isnan(block_features(bare)).all()
    # A known axis without a measure of how reliable it is does not count either.
    no_eccentricity = replace(patches, frame=patches.frame.assign(eccentricity=np.nan))
    assert np.isnan(BLOCKS["orientation"].compute(no_eccentricity)).all()


def test_the_share_of_reliable_axes_is_over_known_ones(nuclei):
    patches = nuclei()
    frame = patches.frame.assign(eccentricity=[0.9, 0.1, *[np.nan] * 10, *[0.9] * 9])
    share = BLOCKS["orientation"].compute(replace(patches, frame=frame))[:, 0]
    assert share.tolist() == [0.5, 1.0]


def test_types_are_those_of_the_list_and_without_types_nothing_is_known(nuclei):
    patches = nuclei(blocks=("cell_types",), cell_types=("Connective", "Neoplastic"))
    values = dict(zip(feature_names(patches.params), block_features(patches).T, strict=True))
    assert values["cell_types_Neoplastic_count"].tolist() == [6, 5]
    assert values["cell_types_Connective_count"].tolist() == [3, 2]
    assert values["cell_types_known_share"].tolist() == [0.75, 7 / 9]
    untyped = replace(patches, frame=patches.frame.drop(columns="type"))
    assert np.isnan(block_features(untyped)).all()
