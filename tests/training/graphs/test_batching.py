from itertools import islice

import pytest
import torch

from pipeline.training.graphs import batching
from pipeline.training.graphs.batching import (
    BatchPlan,
    endless,
    groups,
    nodes_fit,
    padded_batches,
    pairs_fit,
    planned_batches,
    read_ahead,
    shuffled,
)
from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch


def positions(images, plan, order=None):
    return [group for group, _ in planned_batches(images, plan, order)]


def test_groups_hold_each_position_once_in_order(images):
    assert [*groups(images, 3, [2, 0, 3, 1], pairs_fit)] == [[2, 0, 3], [1]]
    assert [*groups(images, 2, range(4), pairs_fit)] == [[0, 1], [2, 3]]
    assert [*groups(images, 4, [], pairs_fit)] == []


def test_the_guard_on_pairs_counts_padding(monkeypatch, random_images):
    monkeypatch.setattr(batching, "PAIRS_PER_BATCH", 200)
    assert pairs_fit([10, 10])
    assert not pairs_fit([10, 1, 1])
    images = random_images([10, 10, 10, 20, 3])
    assert [*groups(images, 8, range(5), pairs_fit)] == [[0, 1], [2], [3], [4]]


def test_the_guard_on_nodes_counts_real_ones(monkeypatch, images):
    monkeypatch.setattr(batching, "NODES_PER_BATCH", 8)
    assert nodes_fit([4, 4])
    assert not nodes_fit([4, 5])
    assert [*groups(images, 3, [3, 1, 2, 0], nodes_fit)] == [[3], [1], [2, 0]]


def test_padded_batches_come_in_the_order_asked_for(images):
    assert [batch.sizes for batch in padded_batches(images, 3, [2, 0, 3, 1])] == [[1, 6, 4], [9]]
    assert [batch.sizes for batch in padded_batches(images, 3)] == [[6, 9, 1], [4]]
    assert [batch.sizes for batch in padded_batches(images, 3, fits=lambda sizes: False)] == [[6], [9], [1], [4]]


def test_only_images_beyond_the_limit_are_packed(images):
    kinds = {tuple(group): type(batch) for group, batch in planned_batches(images, BatchPlan(2, 6))}
    assert kinds == {(0, 2): PaddedBatch, (3,): PaddedBatch, (1,): PackedBatch}
    assert {type(batch) for _, batch in planned_batches(images, BatchPlan(2, None))} == {PaddedBatch}


def test_a_batch_comes_when_its_last_image_has_its_turn(random_images):
    images = random_images([9, 2, 9, 9, 2, 2, 9])
    assert positions(images, BatchPlan(2, 5)) == [[0, 2], [1, 4], [5], [3, 6]]
    assert positions(images, BatchPlan(2, 5), [6, 5, 4, 3, 2, 1, 0]) == [[5, 4], [6, 3], [1], [2, 0]]


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
def test_methods_that_pack_take_the_steps_of_those_that_pad(order, random_images, monkeypatch):
    monkeypatch.setattr(batching, "PAIRS_PER_BATCH", 200)
    images = random_images([10, 10, 10, 20])
    plans = BatchPlan(3, 30), BatchPlan(3, 30, PackedBatch)
    assert positions(images, plans[0], order) == positions(images, plans[1], order)
    assert {type(batch) for _, batch in planned_batches(images, plans[1])} == {PackedBatch}


@pytest.mark.parametrize("limit", [5, None])
def test_images_with_candidates_take_the_steps_of_those_whose_pairs_have_room(limit, random_images, monkeypatch):
    """Of images of one kind; beyond PAIRED_NODES the guard on nodes decides."""
    monkeypatch.setattr(batching, "PAIRS_PER_BATCH", 200)
    monkeypatch.setattr(batching, "PAIRED_NODES", 19)
    monkeypatch.setattr(batching, "NODES_PER_BATCH", 60)
    assert positions(random_images([10, 9, 10, 8]), BatchPlan(3, limit)) == [[0, 1], [2, 3]]
    expected = [[0, 1, 2], [3]] if limit else [[0], [1], [2], [3]]
    assert positions(random_images([20, 20, 20, 20]), BatchPlan(3, limit)) == expected


def test_batches_hold_the_images_of_their_positions(images):
    for group, batch in planned_batches(images, BatchPlan(2, 5), [3, 1, 0, 2]):
        assert batch.images == tuple(images[position] for position in group)


class Fetched:
    """An image that tells when it is fetched and dropped."""

    def __init__(self, name, told):
        self.name, self.told = name, told

    def fetch(self):
        self.told.append(f"fetch {self.name}")

    def drop(self):
        self.told.append(f"drop {self.name}")


def test_the_next_group_is_fetched_before_one_is_given():
    told = []
    images = [Fetched(name, told) for name in "abcd"]
    told.extend(read_ahead(images, iter([[0, 2], [1], [3]])))
    assert told == ["fetch a", "fetch c", "fetch b", [0, 2], "fetch d", [1], [3]]
    assert [*read_ahead(images, iter([]))] == []


def test_groups_that_nobody_wants_are_dropped():
    told = []
    groups_read = read_ahead([Fetched(name, told) for name in "abcd"], iter([[0], [1, 2], [3]]))
    assert next(groups_read) == [0]
    groups_read.close()
    assert told == ["fetch a", "fetch b", "fetch c", "drop b", "drop c"]


def test_the_order_follows_its_seed():
    orders = [shuffled(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(50))


def test_endless_rounds_each_have_a_new_order_which_is_drawn_late():
    generator = torch.Generator().manual_seed(0)
    expected = torch.Generator().manual_seed(0)
    rounds = endless(lambda order: order, 5, generator)
    assert torch.equal(generator.get_state(), expected.get_state())
    first, second = [[*islice(rounds, 5)] for _ in range(2)]
    assert [first, second] == [shuffled(5, expected) for _ in range(2)]
    assert first != second
