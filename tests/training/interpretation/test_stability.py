import pytest

from pipeline.training.interpretation.stability import comparisons, stability_means, stability_table, verdict
from tests.training.interpretation.test_graph_agreement import graph

ONE = graph([(0, 1), (1, 2), (0, 2)], [0.9, 0.1, 0.2])
LIKE = graph([(0, 1), (1, 2), (0, 2)], [0.8, 0.2, 0.1])
OTHER = graph([(0, 1), (1, 2), (0, 2)], [0.1, 0.9, 0.2])


def means(between, *graphs):
    named = [(str(number), one) for number, one in enumerate(graphs)]
    return stability_means(stability_table(list(comparisons("s", between, named, 3))))


def test_every_two_are_compared():
    found = means("folds", ONE, LIKE, OTHER)
    assert found["folds"]["n_pairs"] == 3


def test_graphs_that_agree_are_read_and_others_are_not():
    readable, told = verdict(means("folds", ONE, LIKE))
    assert readable
    assert "folds" in told
    readable, told = verdict(means("seeds", ONE, OTHER))
    assert readable is False
    assert told.startswith("Do not read this graph")


def test_the_comparison_that_agrees_least_counts_and_members_only_alone():
    both = means("folds", ONE, LIKE) | means("seeds", ONE, OTHER)
    assert verdict(both)[0] is False
    assert verdict(means("folds", ONE, LIKE) | means("members", ONE, OTHER))[0]
    assert verdict(means("members", ONE, OTHER))[0] is False


def test_nothing_compared_says_so():
    readable, told = verdict(stability_means(stability_table([])))
    assert readable is None
    assert "no two could be compared" in told
    assert means("folds", graph([], []), graph([], []))["folds"]["correlation"] is None
    assert verdict(means("folds", graph([], []), graph([], [])))[0] is None
    assert means("folds", ONE) == {}
    assert pytest.approx(1) == means("folds", ONE, ONE)["folds"]["correlation"]
