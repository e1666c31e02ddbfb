from dataclasses import replace
from typing import get_args

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from scipy.spatial.distance import cdist

from pipeline.cellgraph.graphs.edge_rules import build_graphs_batch, cosine_similarity
from pipeline.cellgraph.graphs.tiled_nuclei import TiledNuclei
from pipeline.cellgraph.params import CellGraphParams, GraphKind
from tests.cellgraph.nuclei_layouts import SPECIAL, any_nuclei, quick, scattered

KINDS = get_args(GraphKind)


def _nuclei(xy, theta=None, reliable=None, offsets=None):
    n = len(xy)
    return TiledNuclei(
        xy_um=np.array(xy, float).reshape(-1, 2),
        orientation_rad=np.zeros(n) if theta is None else theta,
        axis_reliable=np.ones(n, bool) if reliable is None else reliable,
        raw_measures=np.ones((n, 12)),
        node_offsets=np.array([0, n] if offsets is None else offsets),
    )


def _build(nuclei, **params):
    return build_graphs_batch(nuclei, CellGraphParams(**params), mpp=0.5)


def _pairs(xy, **params):
    return {(a, b) for a, b in _build(_nuclei(xy), **params).edge_index.T.tolist() if a < b}


def test_nearest_of_three_on_a_line_by_hand():
    """0 and 10 are nearest to each other, 30 is nearest to 10; the cut takes the pair 20 apart away."""
    line = [(0, 0), (10, 0), (30, 0)]
    assert _pairs(line, kind="knn", n_nearest=1) == {(0, 1), (1, 2)}
    assert _pairs(line, kind="knn", n_nearest=1, radius_um=15) == {(0, 1)}
    assert _pairs(line, kind="knn", n_nearest=5) == {(0, 1), (0, 2), (1, 2)}


def test_of_equally_near_nuclei_the_left_then_the_upper_is_taken():
    cross = [(0, 0), (10, 0), (-10, 0), (0, 10), (0, -10)]
    assert {pair for pair in _pairs(cross, kind="knn", n_nearest=1) if pair[0] == 0} >= {(0, 2)}
    ring = _build(_nuclei(cross), kind="knn", n_nearest=1).edge_index
    # Each of the ring takes the centre; the centre itself takes (-10, 0).
    assert set(ring[1][ring[0] == 0]) == {1, 2, 3, 4}


@quick
@given(scattered(min_size=4), st.integers(1, 6))
def test_knn_joins_those_that_all_distances_rank_nearest(points, k):
    distance = cdist(points, points)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :k]
    expected = {tuple(sorted((i, int(j)))) for i, row in enumerate(nearest) for j in row if distance[i, j] <= 200}
    assert _pairs(points, kind="knn", n_nearest=k, radius_um=200) == expected


@quick
@given(scattered(min_size=4))
def test_delaunay_joins_the_sides_of_the_triangles_up_to_the_cut(points):
    sides = {tuple(sorted((int(t[i]), int(t[i - 1])))) for t in Delaunay(points).simplices for i in range(3)}
    for cut in (100.0, 1000.0):
        expected = {(a, b) for a, b in sides if np.linalg.norm(points[a] - points[b]) <= cut}
        assert _pairs(points, kind="delaunay", radius_um=cut) == expected


def test_delaunay_of_four_points_that_another_package_tests():
    """Points and edge counts after the tests of tiatoolbox (Delaunay with a distance threshold)."""
    points = [(0, 0), (1, 1), (1, 3), (1, 6)]
    assert _pairs(points, kind="delaunay", radius_um=0.5) == set()
    assert _pairs(points, kind="delaunay", radius_um=1.5) == {(0, 1)}


def test_delaunay_of_places_on_a_line_and_of_nuclei_at_one_place():
    assert _pairs([(20, 0), (0, 0), (10, 0), (30, 0)], kind="delaunay") == {(1, 2), (0, 2), (0, 3)}
    assert _pairs([(0, 0), (5, 0)], kind="delaunay") == {(0, 1)}
    assert _pairs([(1, 1), (1, 1), (1, 1)], kind="delaunay") == {(0, 1), (0, 2), (1, 2)}
    doubled = _pairs([(0, 0), (9, 0), (0, 9), (9, 0)], kind="delaunay")
    assert doubled == {(0, 1), (0, 3), (0, 2), (1, 2), (2, 3), (1, 3)}


def test_edge_attributes_by_hand():
    """From (0, 0) with axis 10 degrees to (0, 8) with axis 50 degrees: the edge points to 90 degrees."""
    edges = _build(_nuclei([(0, 0), (0, 8)], np.deg2rad([10.0, 50.0])), max_delta_orientation_deg=45)
    np.testing.assert_allclose(edges.length_um, [8, 8])
    np.testing.assert_allclose(np.rad2deg(edges.delta_orientation), [40, 40])
    np.testing.assert_allclose(np.rad2deg(edges.edge_to_axis), [80, 40])
    np.testing.assert_allclose(edges.weight, np.exp(-8 / 32) * np.cos(np.deg2rad(40)) ** 2)


def test_weight_takes_no_notice_of_axes_that_mean_nothing_and_of_the_paper_is_one():
    nuclei = _nuclei([(0, 0), (0, 8)], np.deg2rad([10.0, 80.0]), np.array([True, False]))
    for kind in ("orientation", "radius", "knn", "delaunay"):
        np.testing.assert_allclose(_build(nuclei, kind=kind).weight, np.exp(-8 / 32))
    assert _build(nuclei, kind="paper").weight.tolist() == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_layouts_have_a_simple_graph(kind, name):
    xy = np.array(SPECIAL[name], float).reshape(-1, 2)
    edges = _build(_nuclei(xy), kind=kind, radius_um=1000)
    a, b = edges.edge_index
    assert (a != b).all()
    assert {tuple(e) for e in edges.edge_index.T} == {tuple(e) for e in edges.edge_index[::-1].T}
    assert len({tuple(e) for e in edges.edge_index.T}) == len(a)
    coincident = (xy[a] == xy[b]).all(axis=1)
    np.testing.assert_array_equal(np.isnan(edges.edge_to_axis), coincident)
    if kind == "delaunay" and len(xy) and name != "almost on a line":
        assert nx.is_connected(nx.Graph([(i, i) for i in range(len(xy))] + list(edges.edge_index.T.tolist())))


@pytest.mark.parametrize("kind", KINDS)
@quick
@given(any_nuclei(), st.integers(0, 2**32 - 1))
def test_numbering_changes_the_numbers_of_the_nuclei_alone(kind, nuclei, seed):
    xy, theta, reliable = nuclei
    # Of nuclei at one place, which is taken among equals is a matter of their numbers.
    xy, first = np.unique(xy, axis=0, return_index=True)
    theta, reliable = theta[first], reliable[first]
    order = np.random.default_rng(seed).permutation(len(xy))
    plain = _build(_nuclei(xy, theta, reliable), kind=kind, n_nearest=3)
    shuffled = _build(_nuclei(xy[order], theta[order], reliable[order]), kind=kind, n_nearest=3)
    renumbered = order[shuffled.edge_index]
    sort = np.lexsort(renumbered[::-1])
    np.testing.assert_array_equal(renumbered[:, sort], plain.edge_index)
    np.testing.assert_allclose(shuffled.edge_to_axis[sort], plain.edge_to_axis, atol=1e-7)
    np.testing.assert_array_equal(shuffled.weight[sort], plain.weight)


@pytest.mark.parametrize("kind", KINDS)
@quick
@given(scattered(min_size=3), st.floats(0, 6), st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)))
def test_turning_and_moving_leave_the_graph_and_its_attributes(kind, points, angle, shift):
    theta = np.linspace(0, 9, len(points)) % np.pi
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    settings = {"kind": kind, "radius_um": 150, "paper_radius_px": 300}
    plain = _build(_nuclei(points, theta), **settings)
    turned = _build(_nuclei(points @ turn.T + shift, np.mod(theta + angle, np.pi)), **settings)
    np.testing.assert_array_equal(turned.edge_index, plain.edge_index)
    for name in ("length_um", "delta_orientation", "edge_to_axis", "weight"):
        np.testing.assert_allclose(getattr(turned, name), getattr(plain, name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@quick
@given(scattered(min_size=3), st.sampled_from([0.25, 2.0, 8.0]))
def test_scaling_with_the_radius_leaves_the_graph_and_scales_its_lengths(kind, points, scale):
    small = _build(_nuclei(points), kind=kind, radius_um=60, paper_radius_px=120)
    large = _build(_nuclei(scale * points), kind=kind, radius_um=60 * scale, paper_radius_px=120 * scale)
    np.testing.assert_array_equal(large.edge_index, small.edge_index)
    np.testing.assert_array_equal(large.length_um, scale * small.length_um)
    np.testing.assert_allclose(large.weight, small.weight)


@pytest.mark.parametrize("kind", KINDS)
@quick
@given(any_nuclei(), any_nuclei())
def test_tiles_together_equal_tiles_alone(kind, one, two):
    offsets = np.array([0, len(one[0]), len(one[0]) + len(two[0])])
    xy, theta, reliable = (np.concatenate(parts) for parts in zip(one, two, strict=True))
    together = _build(_nuclei(xy, theta, reliable, offsets), kind=kind)
    for tile, nuclei in enumerate((one, two)):
        alone = _build(_nuclei(*nuclei), kind=kind)
        edges = slice(together.edge_offsets[tile], together.edge_offsets[tile + 1])
        np.testing.assert_array_equal(together.edge_index[:, edges] - offsets[tile], alone.edge_index)
        np.testing.assert_array_equal(together.weight[edges], alone.weight)


@pytest.mark.parametrize("kind", ["radius", "orientation"])
def test_a_graph_of_the_whole_slide_holds_those_of_its_tiles(kind):
    random = np.random.default_rng(1)
    xy, theta = random.uniform(0, 200, (120, 2)), random.uniform(0, np.pi, 120)
    tiles, slide = (
        _build(_nuclei(xy, theta, offsets=offsets), kind=kind, radius_um=20) for offsets in ([0, 70, 120], [0, 120])
    )
    within = {tuple(e) for e in tiles.edge_index.T}
    whole = {tuple(e) for e in slide.edge_index.T}
    assert within < whole
    assert all((a < 70) != (b < 70) for a, b in whole - within)


def _joined(nuclei, **params):
    return [(a, b) for a, b in _build(nuclei, **params).edge_index.T.tolist() if a < b]


def test_orientation_joins_near_nuclei_whose_axes_agree():
    nuclei = _nuclei([(0, 0), (10, 0), (20, 0), (60, 0)], np.deg2rad([170.0, 10, 55, 55]))
    assert _joined(nuclei, radius_um=32, max_delta_orientation_deg=30) == [(0, 1)]
    assert _joined(nuclei, radius_um=32, max_delta_orientation_deg=50) == [(0, 1), (1, 2)]
    assert _joined(nuclei, radius_um=40, max_delta_orientation_deg=50) == [(0, 1), (1, 2), (2, 3)]


def test_nuclei_without_axis_are_joined_by_distance_or_not_at_all():
    nuclei = _nuclei([(0, 0), (10, 0), (20, 0)], np.deg2rad([0.0, 90, 90]), np.array([True, False, True]))
    assert _joined(nuclei) == [(0, 1), (1, 2)]
    assert _joined(nuclei, axisless_nuclei="leave_unjoined") == []


def test_bounds_are_inclusive():
    nuclei = _nuclei([(0, 0), (0, 32)], np.deg2rad([0.0, 30]))
    assert _joined(nuclei, radius_um=32, max_delta_orientation_deg=30.0000001) == [(0, 1)]
    assert _joined(nuclei, radius_um=31.999, max_delta_orientation_deg=90) == []
    for kind in ("knn", "delaunay", "radius"):
        assert _joined(nuclei, kind=kind, radius_um=32) == [(0, 1)]
        assert _joined(nuclei, kind=kind, radius_um=31.999) == []


def test_radius_takes_no_notice_of_axes():
    assert _joined(_nuclei([(0, 0), (10, 0)], np.deg2rad([0.0, 90])), kind="radius") == [(0, 1)]


def test_paper_joins_by_pixels_and_cosine_of_raw_measures():
    """64 px at 0.5 um/px are 32 um; (1, 0) and (1, 1) have cosine 0.707, (1, 0) and (1, 1.1) 0.673."""
    measures = np.zeros((4, 12))
    measures[:, 0], measures[:, 1] = 1, [0, 1, 1.1, 0]
    nuclei = replace(_nuclei([(0, 0), (10, 0), (20, 0), (-32.1, 0)]), raw_measures=measures)
    assert _joined(nuclei, kind="paper") == [(0, 1), (1, 2)]
    assert _joined(nuclei, kind="paper", paper_min_cosine=0.67) == [(0, 1), (0, 2), (1, 2)]


def test_cosine_of_nothing_is_zero_and_what_is_not_finite_counts_as_zero():
    raw = np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, 2.0], [0.0, np.inf]])
    pairs = np.array([[0, 1, 1], [1, 2, 3]])
    np.testing.assert_allclose(cosine_similarity(raw, pairs), [0, 0.8, 0])


def test_edges_hold_both_directions_sorted_with_length_and_angle():
    axes = np.deg2rad([5.0, 175, 5, 0, 20])
    edges = _build(_nuclei([(0, 0), (3, 4), (0, 1), (0, 0), (6, 8)], axes, offsets=[0, 0, 3, 5]))
    np.testing.assert_array_equal(edges.edge_index, [[0, 0, 1, 1, 2, 2, 3, 4], [1, 2, 0, 2, 0, 1, 4, 3]])
    np.testing.assert_array_equal(edges.edge_offsets, [0, 0, 6, 8])
    np.testing.assert_allclose(edges.length_um, [5, 1, 5, 18**0.5, 1, 18**0.5, 10, 10])
    np.testing.assert_allclose(np.rad2deg(edges.delta_orientation), [10, 0, 10, 10, 0, 10, 20, 20], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1])
def test_too_few_nuclei_have_no_edges(kind, n):
    edges = _build(_nuclei(np.zeros((n, 2))), kind=kind)
    assert edges.edge_index.shape == (2, 0)
    assert edges.edge_offsets.tolist() == [0, 0]
