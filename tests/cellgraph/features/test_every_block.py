"""What every block of features promises: defined or NaN for any nuclei, whatever their order, place and direction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cellgraph import (
    core_features_batch,
    graph_features_batch,
    histomicstk_features_batch,
    morphology_features_batch,
    orientation_features_batch,
    published_core_features_batch,
    spatial_features_batch,
)
from pipeline.cellgraph.graphs.neighbour_distances import pairs_within
from tests.cellgraph.nuclei_layouts import any_nuclei, quick, scattered

RADIUS = 40.0


def _oriented(function):
    def features(xy, theta, reliable, offsets, scale=1.0):
        near, _ = pairs_within(xy, offsets, RADIUS * scale)
        return function(xy, theta, near, offsets, axis_reliable=reliable)

    return features


def _spatial(xy, theta, reliable, offsets, scale=1.0):
    return spatial_features_batch(xy, offsets, radii_px=[scale * r for r in (10, 20, 30, 40, 50)])


def _graph(xy, theta, reliable, offsets, scale=1.0):
    return graph_features_batch(offsets, pairs_within(xy, offsets, RADIUS * scale)[0])


def _histomicstk(xy, theta, reliable, offsets, scale=1.0):
    found = histomicstk_features_batch(xy, offsets, [scale * r for r in (10, 20, 30, 40, 50)])
    return np.stack(list(found.values()), axis=1)


def _morphology(xy, theta, reliable, offsets, scale=1.0):
    return morphology_features_batch(np.stack([theta, reliable], axis=1), offsets)


BLOCKS = {
    "spatial": _spatial,
    "graph": _graph,
    "orientation": _oriented(orientation_features_batch),
    "core": _oriented(core_features_batch),
    "core_published": _oriented(published_core_features_batch),
    "histomicstk": _histomicstk,
    "morphology": _morphology,
}
EVERY = pytest.mark.parametrize("block", BLOCKS)


def _joined(patches):
    offsets = np.concatenate([[0], np.cumsum([len(p[0]) for p in patches])]).astype(np.int64)
    columns = [np.concatenate(parts) for parts in zip(*patches, strict=True)]
    return (*columns, offsets)


@EVERY
@quick
@given(st.lists(any_nuclei(), min_size=1, max_size=4))
def test_any_nuclei_have_finite_values_or_nan_and_patches_do_not_meet(block, patches):
    together = BLOCKS[block](*_joined(patches))
    assert not np.isinf(together).any()
    for row, patch in zip(together, patches, strict=True):
        np.testing.assert_allclose(row, BLOCKS[block](*_joined([patch]))[0], rtol=1e-12, atol=1e-12)


@EVERY
@quick
@given(any_nuclei(), st.integers(0, 2**32 - 1))
def test_numbering_does_not_matter(block, nuclei, seed):
    order = np.random.default_rng(seed).permutation(len(nuclei[0]))
    plain, shuffled = (BLOCKS[block](*_joined([n])) for n in (nuclei, tuple(part[order] for part in nuclei)))
    np.testing.assert_allclose(shuffled, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b not in ("core_published", "morphology")])
@quick
@given(scattered(), st.floats(0, 6), st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), st.booleans())
def test_turning_moving_and_mirroring_do_not_matter(block, points, angle, shift, mirrored):
    theta, reliable = np.linspace(0, 9, len(points)) % np.pi, np.arange(len(points)) % 5 > 0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sign = -1 if mirrored else 1
    moved = (points * [1, sign]) @ turn.T + shift, np.mod(sign * theta + angle, np.pi), reliable
    plain = BLOCKS[block](*_joined([(points, theta, reliable)]))
    np.testing.assert_allclose(BLOCKS[block](*_joined([moved])), plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("block", ["graph", "core", "core_published"])
@quick
@given(any_nuclei(), st.sampled_from([0.5, 4.0]))
def test_scaling_with_its_radii_does_not_matter_where_no_length_enters(block, nuclei, scale):
    xy, theta, reliable = nuclei
    plain = BLOCKS[block](*_joined([nuclei]))
    np.testing.assert_array_equal(BLOCKS[block](*_joined([(scale * xy, theta, reliable)]), scale=scale), plain)
