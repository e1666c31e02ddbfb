import logging

import numpy as np
import pandas as pd
import pytest

from pipeline.cellgraph.features.cell_type_features import (
    cell_type_feature_names,
    cell_type_features,
    cell_type_features_batch,
    check_types,
)
from pipeline.errors import ConfigError

TYPES = ("T", "B", "S")


def named(types, edges, names=TYPES):
    return dict(zip(cell_type_feature_names(names), cell_type_features(types, edges, len(names)), strict=True))


def random_patch(seed, n=40, n_edges=90, n_types=3):
    random = np.random.default_rng(seed)
    types = random.integers(-1, n_types, n)
    edges = random.integers(0, n, (2, n_edges))
    return types, edges[:, edges[0] != edges[1]]


def test_a_patch_that_one_can_count():
    # T - T - B and a nucleus of unknown type joined to all.
    found = named([0, 0, 1, -1], [[0, 1, 3, 3, 3], [1, 2, 0, 1, 2]])
    assert found["cell_types_known_share"] == 0.75
    assert [found[f"cell_types_{name}_count"] for name in TYPES] == [2, 1, 0]
    assert found["cell_types_T_share"] == pytest.approx(2 / 3)
    shares = np.array([2, 1]) / 3
    assert found["cell_types_entropy"] == pytest.approx(-(shares * np.log(shares)).sum() / np.log(3))
    # B lies at one of three places of the path: J of T, T is 1, 0, 1.
    assert found["cell_types_T_T_enrichment"] == pytest.approx((1 - 2 / 3) / np.sqrt(2 / 9))
    assert found["cell_types_T_B_enrichment"] == pytest.approx((1 - 4 / 3) / np.sqrt(2 / 9))
    assert np.isnan([found["cell_types_B_B_enrichment"], found["cell_types_T_S_enrichment"]]).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_null_is_that_of_random_permutations(seed):
    types, edges = random_patch(seed)
    random = np.random.default_rng(seed)
    known = np.flatnonzero(types >= 0)
    pairs = {tuple(sorted(edge)) for edge in edges.T.tolist() if (types[edge] >= 0).all()}
    ends = np.array(sorted(pairs)).T

    def joins(labels):
        low, high = np.sort(labels[ends], axis=0)
        return [int(((low == a) & (high == b)).sum()) for a in range(3) for b in range(a, 3)]

    drawn = []
    for _ in range(20_000):
        labels = types.copy()
        labels[known] = random.permutation(types[known])
        drawn.append(joins(labels))
    mean, spread = np.mean(drawn, axis=0), np.std(drawn, axis=0)
    expected = (np.array(joins(types)) - mean) / spread
    np.testing.assert_allclose(cell_type_features(types, edges, 3)[-6:], expected, atol=0.05)


def test_sorted_types_are_enriched_with_themselves_and_mixed_ones_are_not():
    ring = np.array([range(60), [*range(1, 60), 0]])
    apart = named(np.repeat([0, 1], 30), ring)
    assert apart["cell_types_T_T_enrichment"] > 5
    assert apart["cell_types_T_B_enrichment"] < -5
    mixed = named(np.tile([0, 1], 30), ring)
    assert mixed["cell_types_T_B_enrichment"] > 5


def test_patches_do_not_meet_and_order_does_not_matter():
    patches = [random_patch(seed, n=20 + seed) for seed in range(4)] + [(np.zeros(0, int), np.zeros((2, 0), int))]
    sizes = np.array([len(types) for types, _ in patches])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    types = np.concatenate([types for types, _ in patches])
    edges = np.hstack([edges + start for (_, edges), start in zip(patches, offsets[:-1], strict=True)])
    batch = cell_type_features_batch(types, edges, offsets, 3)
    for row, (own_types, own_edges) in zip(batch, patches, strict=True):
        np.testing.assert_array_equal(row, cell_type_features(own_types, own_edges, 3))
    order = np.random.default_rng(0).permutation(sizes[0])
    place = np.argsort(order)
    own_types, own_edges = patches[0]
    np.testing.assert_allclose(cell_type_features(own_types[order], place[own_edges], 3), batch[0], rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_nuclei_give_values_or_nan(n):
    edges = [[0], [1]] if n > 1 else np.zeros((2, 0), int)
    found = named([0, 1, 0][:n], edges)
    assert not np.isinf(list(found.values())).any()
    assert np.isnan(found["cell_types_known_share"]) == (n == 0)
    if n == 2:
        assert np.isnan(found["cell_types_T_B_enrichment"])


def test_one_type_alone_has_no_entropy():
    assert named([0, 0], [[0], [1]], ("T",))["cell_types_entropy"] == 0
    assert named([-1, -1], [[0], [1]], ("T",))["cell_types_known_share"] == 0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a type per nucleus"):
        cell_type_features_batch([0], np.zeros((2, 0), int), [0, 2], 1)


def test_types_that_are_not_listed_are_told_and_refused_where_none_is(caplog):
    nuclei = pd.DataFrame({"type": ["T", "X", "X", None]})
    with caplog.at_level(logging.WARNING, logger="abignet"):
        check_types(nuclei, TYPES, "n.parquet")
    assert "X (2)" in caplog.text
    with pytest.raises(ConfigError, match=r"n\.parquet: features\.cell_types: .* found B; they have X \(2\), T \(1\)"):
        check_types(nuclei, ("B",), "n.parquet")
    check_types(pd.DataFrame({"x": [1]}), TYPES, "n.parquet")
    check_types(pd.DataFrame({"type": [None]}), TYPES, "n.parquet")
