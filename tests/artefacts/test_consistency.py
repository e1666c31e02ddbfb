import numpy as np
import pytest

from pipeline.artefacts.consistency import (
    all_between,
    all_distinct,
    all_finite,
    all_shares,
    are_edges,
    are_offsets,
    check_consistent,
)
from pipeline.errors import ArtefactError


def test_the_first_sentence_that_does_not_hold_is_told():
    check_consistent("tiles", "t", {"this": True, "that": True})
    with pytest.raises(ArtefactError, match=r"t: it is half-written, damaged or edited: expected that\. Make it again"):
        check_consistent("tiles", "t", {"this": True, "that": False, "more": False})


def test_what_is_not_defined_is_neither_in_nor_out():
    assert all_between([0.0, 2.0, np.nan], 0, 2)
    assert not all_between([0.0, 2.1], 0, 2)
    assert all_shares([0, 1, 1 + 1e-9, np.nan])
    assert not all_shares([-0.01])
    assert not all_shares([np.inf])
    assert all_between([], 0, 1)


def test_numbers_are_finite_and_names_distinct():
    assert all_finite([1, 2.5])
    assert not all_finite([1, np.nan])
    assert not all_finite([np.inf])
    assert all_distinct(np.array([3, 1, 2]))
    assert not all_distinct(np.array([3, 1, 3]))


@pytest.mark.parametrize(
    ("offsets", "n_groups", "n_items", "hold"),
    [
        ([0], 0, 0, True),
        ([0, 2, 2, 5], 3, 5, True),
        ([0, 2, 1, 5], 3, 5, False),
        ([1, 2, 3, 5], 3, 5, False),
        ([0, 2, 3, 4], 3, 5, False),
        ([0, 5], 3, 5, False),
        ([], 0, 0, False),
    ],
)
def test_offsets_part_what_there_is(offsets, n_groups, n_items, hold):
    assert are_offsets(np.array(offsets, np.int64), n_groups, n_items) is hold


@pytest.mark.parametrize(
    ("edges", "n_nodes", "hold"),
    [
        ([[], []], 0, True),
        ([[0, 1], [1, 0]], 2, True),
        ([[0, 2], [1, 0]], 2, False),
        ([[0, 2], [1, 0]], None, True),
        ([[0, -1], [1, 0]], None, False),
        ([[0, 1], [1, 1]], 2, False),
        ([[0, 1]], 2, False),
    ],
)
def test_edges_join_two_nodes_that_there_are(edges, n_nodes, hold):
    assert are_edges(np.array(edges, np.int64), n_nodes) is hold
