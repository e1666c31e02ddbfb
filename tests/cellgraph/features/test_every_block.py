"""What every block of features promises: defined or NaN for any nuclei, whatever their order, place and direction."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cellgraph import GRAPH_FEATURE_NAMES
from pipeline.cellgraph.features.feature_blocks import BLOCKS, PatchNuclei, block_features, feature_names
from pipeline.cellgraph.features.morphology_features import MORPHOLOGY_MEASURES
from pipeline.cellgraph.graphs.neighbour_distances import pairs_within
from pipeline.cellgraph.params import FeatureParams
from tests.cellgraph.nuclei_layouts import any_nuclei, quick, scattered

RADIUS_UM = 40.0
EVERY = pytest.mark.parametrize("block", BLOCKS)


def _params(block, scale=1.0):
    radii_px = tuple(scale * radius for radius in (10, 20, 30, 40, 50))
    return FeatureParams(blocks=(block,), neighbour_radii_px=radii_px, orientation_radius_um=scale * RADIUS_UM)


def _features(block, *patches, scale=1.0):
    """Features of ``patches``, each centroids, axes and which of these mean something; 1 um is 1 px."""
    offsets = np.concatenate([[0], np.cumsum([len(patch[0]) for patch in patches])]).astype(np.int64)
    xy, theta, reliable = (np.concatenate(parts) for parts in zip(*patches, strict=True))
    measures = {
        name: np.where(np.isnan(theta), np.nan, rank + reliable) for rank, name in enumerate(MORPHOLOGY_MEASURES)
    }
    frame = pd.DataFrame(measures).assign(
        x_um=xy[:, 0], y_um=xy[:, 1], orientation_rad=theta, eccentricity=np.where(reliable, 0.9, 0.1)
    )
    joined, _ = pairs_within(xy, offsets, scale * RADIUS_UM)
    return block_features(PatchNuclei(frame, offsets, joined, 1.0, 0.5, _params(block, scale)))


@EVERY
@quick
@given(st.lists(any_nuclei(), min_size=1, max_size=4))
def test_any_nuclei_have_finite_values_or_nan_and_patches_do_not_meet(block, patches):
    together = _features(block, *patches)
    assert not np.isinf(together).any()
    for row, patch in zip(together, patches, strict=True):
        np.testing.assert_allclose(row, _features(block, patch)[0], rtol=1e-12, atol=1e-12)


@EVERY
@quick
@given(any_nuclei(), st.integers(0, 2**32 - 1))
def test_numbering_does_not_matter(block, nuclei, seed):
    order = np.random.default_rng(seed).permutation(len(nuclei[0]))
    plain, shuffled = (_features(block, patch) for patch in (nuclei, tuple(part[order] for part in nuclei)))
    np.testing.assert_allclose(shuffled, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block != "core_published"])
@quick
@given(scattered(), st.floats(0, 6), st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), st.booleans())
def test_turning_moving_and_mirroring_do_not_matter(block, points, angle, shift, mirrored):
    theta, reliable = np.linspace(0, 9, len(points)) % np.pi, np.arange(len(points)) % 5 > 0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sign = -1 if mirrored else 1
    moved = (points * [1, sign]) @ turn.T + shift, np.mod(sign * theta + angle, np.pi), reliable
    plain = _features(block, (points, theta, reliable))
    np.testing.assert_allclose(_features(block, moved), plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("block", ["paper", "core", "core_published"])
@quick
@given(any_nuclei(), st.sampled_from([0.5, 4.0]))
def test_scaling_with_its_radii_does_not_matter_where_no_length_enters(block, nuclei, scale):
    xy, theta, reliable = nuclei
    columns = [name in GRAPH_FEATURE_NAMES or name.startswith("core_") for name in feature_names(_params(block))]
    scaled = _features(block, (scale * xy, theta, reliable), scale=scale)
    np.testing.assert_array_equal(scaled[:, columns], _features(block, nuclei)[:, columns])
