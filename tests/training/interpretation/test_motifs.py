import numpy as np
import pytest

from pipeline.training.interpretation.motifs import (
    Kinds,
    enrichment,
    example_patches,
    find_kinds,
    joined_weight,
    null_weights,
    telling_features,
)
from tests.training.interpretation.test_graph_agreement import graph

KINDS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])


def motifs_of(one, n_drawn):
    rng = np.random.default_rng(0)
    return enrichment(joined_weight(one, KINDS, 3), null_weights(one, KINDS, 3, n_drawn, rng), "x")


def test_weights_between_kinds_count_each_edge_once():
    found = joined_weight(graph([(0, 1), (0, 3), (4, 2), (6, 7)], [0.5, 0.25, 0.125, 1.0]), KINDS, 3)
    np.testing.assert_allclose(found, [[0.5, 0.375, 0], [0.375, 0, 0], [0, 0, 1.0]])


def test_what_is_joined_within_kinds_is_found():
    within = [(i, j) for i in range(10) for j in range(i + 1, 10) if KINDS[i] == KINDS[j]]
    table = motifs_of(graph(within, [0.5] * len(within)), 400)
    own = table["one"] == table["other"]
    assert (table.loc[own, "log2_ratio"] > 1).all()
    assert (table.loc[own, "q"] < 0.1).all()
    assert table.loc[own, "z"].max() > 3
    assert (table.loc[~own, "weight"] == 0).all()


def test_a_complete_graph_has_no_motif():
    pairs = [(i, j) for i in range(10) for j in range(i + 1, 10)]
    table = motifs_of(graph(pairs, [0.5] * len(pairs)), 50)
    np.testing.assert_allclose(table["log2_ratio"], 0, atol=1e-6)
    assert table["p"].isna().all()


def test_chance_is_called_a_motif_as_seldom_as_it_says():
    rng = np.random.default_rng(1)
    small = []
    for _ in range(40):
        pairs = [(i, j) for i in range(10) for j in range(i + 1, 10) if rng.random() < 0.4]
        small += list(motifs_of(graph(pairs, rng.random(len(pairs))), 99)["p"] <= 0.05)
    assert np.mean(small) < 0.1


def test_clusters_that_lie_apart_are_the_kinds_and_have_examples():
    rng = np.random.default_rng(0)
    centres = np.array([[5.0, 0], [0, 5.0], [-5.0, -5.0]])
    images = {f"s{n}": (centres[KINDS] + rng.normal(scale=0.1, size=(10, 2))).astype(np.float32) for n in range(4)}
    kinds = find_kinds(images, 3, seed=0)
    found = kinds.of(images["s0"])
    assert len({tuple(np.unique(found[kind == KINDS])) for kind in range(3)}) == 3
    examples = example_patches(images, kinds)
    for kind, patches in enumerate(examples):
        assert sorted(slide_id for slide_id, _ in patches) == sorted(images)
        assert all(kinds.of(images[slide_id])[row] == kind for slide_id, row in patches)


def test_kinds_are_no_more_than_patches():
    assert len(find_kinds({"s": np.zeros((4, 2), np.float32)}, 3, 0).centre) == 1


def test_the_features_that_tell_a_kind_are_named_first():
    told = telling_features(Kinds(np.array([[0.1, -3.0, 2.0]])), ("area", "axis", "texture"), 2)
    assert told == [[("axis", pytest.approx(-3.0)), ("texture", pytest.approx(2.0))]]
