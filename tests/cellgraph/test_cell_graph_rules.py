from itertools import pairwise

import numpy as np
import pytest

from pipeline.cellgraph.graphs.edge_rules import TiledNuclei, build_graphs_batch, cosine_similarity
from pipeline.cellgraph.params import CellGraphParams


def _nuclei(xy, degrees=None, reliable=None, measures=None, offsets=None):
    n = len(xy)
    return TiledNuclei(
        xy_um=np.array(xy, float),
        orientation_rad=np.deg2rad(np.zeros(n) if degrees is None else np.array(degrees, float)),
        axis_reliable=np.ones(n, bool) if reliable is None else np.array(reliable),
        raw_measures=np.ones((n, 12)) if measures is None else np.array(measures, float),
        node_offsets=np.array([0, n] if offsets is None else offsets),
    )


def _pairs(nuclei, **params):
    found = build_graphs_batch(nuclei, CellGraphParams(**params), mpp=0.5)
    return [(a, b) for a, b in found.edge_index.T.tolist() if a < b]


def test_orientation_joins_near_nuclei_whose_axes_agree():
    nuclei = _nuclei([(0, 0), (10, 0), (20, 0), (60, 0)], degrees=[170, 10, 55, 55])
    assert _pairs(nuclei, radius_um=32, max_delta_orientation_deg=30) == [(0, 1)]
    assert _pairs(nuclei, radius_um=32, max_delta_orientation_deg=50) == [(0, 1), (1, 2)]
    assert _pairs(nuclei, radius_um=40, max_delta_orientation_deg=50) == [(0, 1), (1, 2), (2, 3)]


def test_nuclei_without_axis_are_joined_by_distance_or_not_at_all():
    nuclei = _nuclei([(0, 0), (10, 0), (20, 0)], degrees=[0, 90, 90], reliable=[True, False, True])
    assert _pairs(nuclei) == [(0, 1), (1, 2)]
    assert _pairs(nuclei, axisless_nuclei="leave_unjoined") == []


def test_bounds_are_inclusive():
    nuclei = _nuclei([(0, 0), (0, 32)], degrees=[0, 30])
    assert _pairs(nuclei, radius_um=32, max_delta_orientation_deg=30.0000001) == [(0, 1)]
    assert _pairs(nuclei, radius_um=31.999, max_delta_orientation_deg=90) == []


def test_radius_takes_no_notice_of_axes():
    assert _pairs(_nuclei([(0, 0), (10, 0)], degrees=[0, 90]), kind="radius") == [(0, 1)]


def test_paper_joins_by_pixels_and_cosine_of_raw_measures():
    """64 px at 0.5 um/px are 32 um; (1, 0) and (1, 1) have cosine 0.707, (1, 0) and (1, 1.1) 0.673."""
    measures = np.zeros((4, 12))
    measures[:, 0], measures[:, 1] = 1, [0, 1, 1.1, 0]
    nuclei = _nuclei([(0, 0), (10, 0), (20, 0), (-32.1, 0)], degrees=[0, 90, 0, 0], measures=measures)
    assert _pairs(nuclei, kind="paper") == [(0, 1), (1, 2)]


def test_cosine_of_nothing_is_zero_and_what_is_not_finite_counts_as_zero():
    raw = np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, 2.0], [0.0, np.inf]])
    pairs = np.array([[0, 1, 1], [1, 2, 3]])
    np.testing.assert_allclose(cosine_similarity(raw, pairs), [0, 0.8, 0])


def test_edges_hold_both_directions_sorted_with_length_and_angle():
    found = build_graphs_batch(
        _nuclei([(0, 0), (3, 4), (0, 1), (0, 0), (6, 8)], degrees=[5, 175, 5, 0, 20], offsets=[0, 0, 3, 5]),
        CellGraphParams(),
        mpp=0.5,
    )
    np.testing.assert_array_equal(found.edge_index, [[0, 0, 1, 1, 2, 2, 3, 4], [1, 2, 0, 2, 0, 1, 4, 3]])
    np.testing.assert_array_equal(found.edge_offsets, [0, 0, 6, 8])
    np.testing.assert_allclose(found.length_um, [5, 1, 5, 18**0.5, 1, 18**0.5, 10, 10])
    np.testing.assert_allclose(np.rad2deg(found.delta_orientation), [10, 0, 10, 10, 0, 10, 20, 20], atol=1e-9)


def test_tiles_together_equal_tiles_alone():
    random = np.random.default_rng(0)
    counts, xy = [20, 0, 35], random.uniform(0, 80, (55, 2))
    degrees, reliable = random.uniform(0, 180, 55), random.random(55) > 0.2
    offsets = np.concatenate([[0], np.cumsum(counts)])
    together = build_graphs_batch(_nuclei(xy, degrees, reliable, offsets=offsets), CellGraphParams(), mpp=0.5)
    for tile, (start, stop) in enumerate(pairwise(offsets)):
        part = slice(start, stop)
        alone = build_graphs_batch(_nuclei(xy[part], degrees[part], reliable[part]), CellGraphParams(), mpp=0.5)
        edges = slice(together.edge_offsets[tile], together.edge_offsets[tile + 1])
        np.testing.assert_array_equal(together.edge_index[:, edges] - start, alone.edge_index)
        np.testing.assert_array_equal(together.length_um[edges], alone.length_um)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_nuclei_have_no_edges(n):
    found = build_graphs_batch(_nuclei(np.zeros((n, 2))), CellGraphParams(), mpp=0.5)
    assert found.edge_index.shape == (2, 0)
    assert found.edge_offsets.tolist() == [0, 0]
