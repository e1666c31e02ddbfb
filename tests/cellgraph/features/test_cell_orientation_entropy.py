import statistics

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pipeline.cellgraph import (
    CORE_FEATURE_NAMES,
    PUBLISHED_CORE_FEATURE_NAMES,
    core_features_batch,
    published_core_features_batch,
)
from pipeline.cellgraph.features.axis_cooccurrence import CORE_NAMES, axial_bins, cooccurrence, core_statistics
from tests.cellgraph.nuclei_layouts import quick

STEMS = [name.removeprefix("core_") for name in CORE_NAMES]


def _patch(seed, n=30, side=70.0):
    random = np.random.default_rng(seed)
    xy = random.uniform(0, side, (n, 2))
    edges = np.array(np.nonzero(np.triu(cdist(xy, xy) <= 15.0, k=1)))
    return xy, random.uniform(0, np.pi, n), edges, random.random(n) > 0.2


def _graph(theta, edges, reliable):
    graph = nx.Graph()
    graph.add_nodes_from(np.flatnonzero(reliable))
    graph.add_edges_from((a, b) for a, b in edges.T if reliable[a] and reliable[b])
    return graph


def _pool(rows, names):
    expected = {}
    for stem, column in zip(STEMS, np.array(rows).reshape(-1, len(STEMS)).T, strict=True):
        values = [float(v) for v in column if not np.isnan(v)]
        pooled = {
            "mean": statistics.fmean(values) if values else np.nan,
            "sd": statistics.stdev(values) if len(values) > 1 else np.nan,
            "range": max(values) - min(values) if values else np.nan,
        }
        expected |= {f"{stem}_{statistic}": value for statistic, value in pooled.items()}
    return [expected[name.split("_", 2)[2]] for name in names]


def _invariant_slowly(theta, edges, reliable):
    """One matrix of one neighbourhood at a time, by the pooled statistics' own function."""
    graph, rows = _graph(theta, edges, reliable), []
    for node in graph:
        if graph.degree(node):
            local = graph.subgraph([node, *graph[node]])
            reference = np.angle(np.mean([np.exp(2j * theta[m]) for m in local])) / 2
            a, b = (axial_bins(theta[list(ends)] - reference) for ends in zip(*local.edges, strict=True))
            rows.append(core_statistics(cooccurrence(a, b, np.zeros(len(a), int), 1))[0])
    return _pool(rows, CORE_FEATURE_NAMES)


def _published_matrix_slowly(pairs):
    """The thirteen statistics from a list of pairs of bins of one cluster, each pair in both orders."""
    both = pairs + [(b, a) for a, b in pairs]
    n = len(both)

    def share(values):
        return [values.count(v) / n for v in set(values)]

    def entropy(values):
        return -sum(p * np.log(p) for p in share(values))

    gaps, levels = [abs(a - b) for a, b in both], [(a + b) / 2 for a, b in both]
    joint, single = entropy(both), entropy([a for a, _ in both])
    shared = max(2 * single - joint, 0)
    x, y = np.array(both).T
    return [
        np.mean(np.square(gaps)),
        np.mean([1 / (1 + g * g) for g in gaps]),
        np.mean(gaps),
        np.var(gaps),
        entropy(gaps),
        np.mean(levels),
        np.var(levels),
        entropy(levels),
        joint,
        sum(p * p for p in share(both)),
        np.corrcoef(x, y)[0, 1] if np.var(x) > 0 else np.nan,
        -shared / single if single > 1e-12 else np.nan,
        np.sqrt(1 - np.exp(-2 * shared)),
    ]


def _published_slowly(theta, edges, reliable):
    graph = _graph(theta, edges, reliable)
    clusters = [graph.subgraph(c) for c in nx.connected_components(graph) if len(c) > 1]
    bins = np.floor(np.rad2deg(theta) / 10).astype(int)
    rows = [_published_matrix_slowly([(int(bins[a]), int(bins[b])) for a, b in c.edges]) for c in clusters]
    return _pool(rows, PUBLISHED_CORE_FEATURE_NAMES)


def test_names_are_three_of_each_of_thirteen():
    assert len(set(CORE_FEATURE_NAMES)) == len(set(PUBLISHED_CORE_FEATURE_NAMES)) == 39
    assert CORE_FEATURE_NAMES[:3] == tuple(f"core_local_contrast_energy_{s}" for s in ("mean", "sd", "range"))


@quick
@given(st.integers(0, 10**6))
def test_invariant_statistics_equal_one_neighbourhood_at_a_time(seed):
    xy, theta, edges, reliable = _patch(seed)
    features = core_features_batch(xy, theta, edges, [0, len(xy)], axis_reliable=reliable)[0]
    np.testing.assert_allclose(features, _invariant_slowly(theta, edges, reliable), rtol=1e-9, atol=1e-12)


@quick
@given(st.integers(0, 10**6))
def test_published_statistics_equal_one_cluster_at_a_time(seed):
    xy, theta, edges, reliable = _patch(seed)
    features = published_core_features_batch(xy, theta, edges, [0, len(xy)], axis_reliable=reliable)[0]
    np.testing.assert_allclose(features, _published_slowly(theta, edges, reliable), rtol=1e-9, atol=1e-9)


def test_two_nuclei_forty_degrees_apart_by_hand():
    """Relative to their mean axis bins 2 and 16; in the image bins 1 and 5.  Four bins apart either way."""
    nuclei = [(0, 0), (9, 0)], np.deg2rad([15, 55]), [[0], [1]], [0, 2]
    invariant = dict(zip(CORE_FEATURE_NAMES, core_features_batch(*nuclei)[0], strict=True))
    published = dict(zip(PUBLISHED_CORE_FEATURE_NAMES, published_core_features_batch(*nuclei)[0], strict=True))
    assert invariant["core_local_contrast_mean_mean"] == published["core_published_contrast_mean_mean"] == 4
    assert (invariant["core_local_intensity_mean_mean"], published["core_published_intensity_mean_mean"]) == (2, 3)
    assert invariant["core_local_contrast_mean_range"] == published["core_published_contrast_mean_range"] == 0
    assert invariant["core_local_contrast_mean_sd"] == 0
    assert np.isnan(published["core_published_contrast_mean_sd"])


def test_turning_changes_the_published_form_alone():
    xy, theta, edges, _ = _patch(3)
    turned = np.mod(theta + np.deg2rad(73), np.pi)
    offsets = [0, len(xy)]
    np.testing.assert_allclose(
        core_features_batch(xy, turned, edges, offsets), core_features_batch(xy, theta, edges, offsets), atol=1e-9
    )
    plain, other = (published_core_features_batch(xy, t, edges, offsets)[0] for t in (theta, turned))
    moved = [n for n, a, b in zip(PUBLISHED_CORE_FEATURE_NAMES, plain, other, strict=True) if abs(a - b) > 0.01]
    assert len(moved) > 20


@pytest.mark.parametrize("function", [core_features_batch, published_core_features_batch])
def test_batch_equals_single_and_empty_patches_are_undefined(function):
    patches = [_patch(seed, n) for seed, n in enumerate((25, 0, 1, 2, 40))]
    offsets = np.concatenate([[0], np.cumsum([len(p[0]) for p in patches])])
    edges = np.concatenate([p[2] + start for p, start in zip(patches, offsets, strict=False)], axis=1)
    xy, theta = (np.concatenate([p[part] for p in patches]) for part in (0, 1))
    batch = function(xy, theta, edges, offsets)
    for row, (points, axes, near, _) in zip(batch, patches, strict=True):
        np.testing.assert_array_equal(row, function(points, axes, near, [0, len(points)])[0])
    assert np.isnan(batch[1:3]).all()
