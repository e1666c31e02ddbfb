from dataclasses import replace

import numpy as np
import pytest

from pipeline.training.fitting.graph_gate import (
    LEAST_GAIN,
    LEAST_IMAGES_TO_REFUSE,
    HeldOut,
    beside_graph,
    judge,
    pooled_share,
    refuses,
    shares,
    standard_error,
    votes_of,
)


def held_out(n=200, *, pooled=0.0, graph=0.0, seed=0, per_patient=1):
    """Logits of two classes: noise, and so much of the truth in each path."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    truth = np.stack([1 - labels, labels], axis=1) - 0.5
    noisy = [strength * truth + rng.normal(size=(n, 2)) for strength in (pooled, graph)]
    patients = np.array([f"p{place // per_patient}" for place in range(n)])
    return HeldOut(*noisy, labels, patients, np.ones(n), np.arange(n) // 2 % 3)


def decided(told):
    return judge(told, n_models=3, n_planned=3, n_pooled=3)


@pytest.mark.parametrize("seed", range(5))
def test_a_graph_that_says_nothing_is_refused_and_the_pooled_path_stands_alone(seed):
    told = held_out(pooled=3, seed=seed)
    gate = decided(told)
    assert not gate.on
    assert gate.graph_kept == 0
    assert gate.pooled_kept == gate.pooled_alone == pytest.approx(pooled_share(told))
    assert gate.gain_low < 1e-6


@pytest.mark.parametrize("pooled", [0, 2])
def test_a_graph_that_knows_the_class_is_kept(pooled):
    gate = decided(held_out(pooled=pooled, graph=3))
    assert gate.on
    assert gate.graph_kept > 0.5
    assert 0 < gate.gain_low < gate.gain < gate.gain_high
    assert gate.pooled_kept > 0 if pooled else gate.pooled_kept == 0


def test_a_pooled_path_that_adds_nothing_to_the_graph_is_silent():
    told = held_out(pooled=1, graph=8)
    sure = replace(told, graph=3 * told.graph)
    gate = decided(sure)
    assert (gate.on, gate.pooled_kept) == (True, 0)
    assert gate.pooled_alone > 0.5
    assert "the pooled path adds nothing" in gate.summary
    both = shares(sure)
    assert gate.graph_kept == pytest.approx(beside_graph(sure, both)[1])
    assert sure.losses(0, gate.graph_kept).mean() < sure.losses(*both).mean() + LEAST_GAIN


def test_a_pooled_path_that_adds_to_the_graph_speaks():
    told = held_out(400, pooled=3, graph=3)
    gate = decided(told)
    assert gate.on
    assert (gate.pooled_kept, gate.graph_kept) == shares(told)
    assert "adds nothing" not in gate.summary


def test_what_a_factor_on_the_pooled_path_does_is_no_gain_of_the_graph():
    told = held_out(pooled=3)
    soft = replace(told, pooled=told.pooled / 5, graph=told.pooled / 50)
    assert not decided(soft).on


def test_what_misleads_is_shrunk():
    told = held_out(8000, pooled=3)
    assert 0.8 < pooled_share(told) < 4
    assert pooled_share(replace(told, pooled=told.pooled / 2)) == pytest.approx(2 * pooled_share(told), rel=0.05)
    assert pooled_share(replace(told, pooled=-told.pooled)) == 0
    assert shares(replace(told, graph=10 * told.graph))[1] == pytest.approx(shares(told)[1] / 10, abs=0.01)


def test_the_shares_have_the_least_loss():
    told = held_out(pooled=1, graph=2)
    best = shares(told)
    others = [(a, b) for a in np.linspace(0, 3, 21) for b in np.linspace(0, 1, 21)]
    assert told.losses(*best).mean() <= min(told.losses(*other).mean() for other in others) + 1e-3


def test_few_images_sharpen_little():
    sure = replace(held_out(8), pooled=(np.stack([1 - np.arange(8) % 2, np.arange(8) % 2], axis=1) - 0.5).astype(float))
    assert 1 < pooled_share(sure) < 3


def test_early_refusal_needs_enough_images():
    useless = held_out(400, pooled=3)
    assert refuses(useless)
    few = np.arange(400) < LEAST_IMAGES_TO_REFUSE - 1
    assert not refuses(useless.of(few))
    assert not refuses(held_out(400, graph=3))


def test_one_model_alone_does_not_refuse_the_others():
    useless = held_out(400, pooled=3)
    assert not refuses(useless.of(useless.models == 1))
    assert refuses(useless.of(useless.models != 1))


def test_patients_are_the_unit():
    values = np.random.default_rng(0).normal(size=100)
    alone, pairs = np.arange(100).astype(str), (np.arange(200) // 2).astype(str)
    assert standard_error(values, alone) == pytest.approx(values.std(ddof=1) / 10)
    assert standard_error(values.repeat(2), pairs) == pytest.approx(standard_error(values, alone))


@pytest.mark.parametrize(
    "told", [held_out(8).of(np.zeros(8, bool)), held_out(8).of(np.arange(8) % 2 == 0), held_out(8, per_patient=8)]
)
def test_without_two_classes_and_two_patients_nothing_is_judged_and_the_graph_is_on(told):
    gate = decided(told)
    assert (gate.on, gate.judged, gate.graph_kept, gate.gain) == (True, False, 1.0, None)
    assert "not judged" in gate.summary


def test_weights_of_images_count():
    told = held_out(pooled=3)
    twice = replace(told, weights=np.where(told.labels == 1, 0.0, 2.0))
    only = told.of(told.labels == 0)
    assert twice.losses(0.7, 0.0).mean() == pytest.approx(only.losses(0.7, 0.0).mean())


def test_the_decision_is_told_in_words():
    assert "refused" in decided(held_out(pooled=3)).summary
    early = judge(held_out(pooled=3), n_models=1, n_planned=3, n_pooled=3)
    assert "after 1 of 3 models" in early.summary
    assert "of it kept: it gains +" in decided(held_out(graph=3)).summary


def test_models_vote_by_what_they_gained_on_the_images_they_did_not_see():
    told = held_out(graph=3)
    idle = np.where((told.models == 1)[:, None], 0.0, told.graph)
    votes = decided(replace(told, graph=idle)).votes
    assert votes[1] < 0.01
    assert votes[0] > 0.3
    assert votes[2] > 0.3
    assert sum(votes) == pytest.approx(1)
    assert votes_of(np.array([0.2, 0.4, -0.3, 0.1]), np.array([0, 0, 1, 3]), 4) == pytest.approx((0.75, 0, 0, 0.25))


@pytest.mark.parametrize("told", [held_out(pooled=3), held_out(8).of(np.zeros(8, bool))])
def test_votes_are_equal_where_the_graph_is_off_or_not_judged(told):
    assert decided(told).votes == pytest.approx((1 / 3,) * 3)
