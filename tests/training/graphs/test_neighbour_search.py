import math

import pytest
import torch
from torch.nn.functional import normalize

from pipeline.training.graphs import block_sizes, neighbour_search
from pipeline.training.graphs.neighbour_search import (
    LEAF_NODES,
    PROBES,
    SpatialNeighbours,
    balanced_leaves,
    leading_direction,
    most_similar,
    nearest_in_space,
)


def unit_vectors(n_heads, n_nodes, seed=0, n_dimensions=4):
    return normalize(torch.randn(n_heads, n_nodes, n_dimensions, generator=torch.Generator().manual_seed(seed)), dim=2)


def by_comparing_all(direction, count):
    product = direction @ direction.transpose(1, 2)
    product.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    return product.topk(count, dim=2).indices


@pytest.mark.parametrize("n_nodes", [2, 5, LEAF_NODES, LEAF_NODES + 1, 500, 2000])
def test_the_search_is_exact_up_to_the_leaves_it_compares(n_nodes):
    assert n_nodes <= LEAF_NODES * PROBES
    direction = unit_vectors(2, n_nodes)
    number, seen = most_similar(direction, 7)
    assert number.shape == (2, n_nodes, min(7, n_nodes - 1))
    assert seen.all()
    assert torch.equal(number, by_comparing_all(direction, number.shape[2]))


def test_one_node_has_no_neighbour():
    number, seen = most_similar(unit_vectors(3, 1), 4)
    assert number.shape == seen.shape == (3, 1, 0)


def test_a_large_image_finds_nearly_all_of_few_dimensions():
    direction = unit_vectors(1, 6000, n_dimensions=3)
    number, seen = most_similar(direction, 8)
    expected = by_comparing_all(direction, 8)
    recall = (number.unsqueeze(3) == expected.unsqueeze(2)).any(dim=2).double().mean()
    assert seen.all()
    assert recall > 0.99
    assert not (number == torch.arange(6000).view(1, -1, 1)).any()
    assert torch.equal(most_similar(direction, 8)[0], number)


def test_equal_nodes_are_neighbours_of_each_other():
    number, seen = most_similar(unit_vectors(1, 1).expand(1, 100, 4).contiguous(), 3)
    assert seen.all()
    assert not (number == torch.arange(100).view(1, -1, 1)).any()
    assert (number.sort(dim=2).values.diff(dim=2) > 0).all()


@pytest.mark.parametrize("n_nodes", [1, 33, 100, 1000])
def test_each_node_is_in_one_leaf_and_leaves_are_of_one_size(n_nodes):
    leaves = balanced_leaves(unit_vectors(2, n_nodes))
    assert leaves.shape[1] == 2 ** max(0, math.ceil(math.log2(n_nodes / LEAF_NODES)))
    assert leaves.shape[2] <= LEAF_NODES
    for space in leaves:
        real = space[space < n_nodes]
        assert torch.equal(real.sort().values, torch.arange(n_nodes))


def test_leaves_part_along_the_longest_axis():
    # Ordered along the second axis, which is ten times as long as the first.
    points = torch.stack([torch.rand(64, generator=torch.Generator().manual_seed(0)), torch.arange(64) / 6.0], dim=1)
    (leaves,) = balanced_leaves(points.unsqueeze(0))
    assert sorted(sorted(leaf) for leaf in leaves.tolist()) == [list(range(32)), list(range(32, 64))]


def test_the_leading_direction_is_the_first_principal_one():
    points = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 9.0, 2.0, 1.0])
    centred = points - points.mean(dim=1, keepdim=True)
    principal = torch.linalg.svd(centred, full_matrices=False).Vh[:, 0]
    torch.testing.assert_close((leading_direction(points) * principal).sum(dim=1).abs(), torch.ones(3))


def test_neighbours_in_space_of_a_line_with_a_gap():
    coords = torch.tensor([[0.0, 0], [1, 0], [2.5, 0], [9, 0]])
    assert nearest_in_space(coords, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert nearest_in_space(coords, 9).shape == (4, 3)
    assert nearest_in_space(coords[:1], 2).shape == (1, 0)


def test_nodes_in_one_place_are_not_their_own_neighbours():
    nearest = nearest_in_space(torch.zeros(30, 2), 3)
    assert nearest.shape == (30, 3)
    assert not (nearest == torch.arange(30).unsqueeze(1)).any()


@pytest.mark.parametrize("n_nodes", [2, 33, 700])
def test_without_a_tree_the_same_nodes_are_found_in_blocks_of_any_size(n_nodes, monkeypatch):
    direction = unit_vectors(2, n_nodes)
    by_tree, seen = most_similar(direction, 7)
    monkeypatch.setitem(neighbour_search.SEARCHED_WITHOUT_TREE, "cpu", 700)
    monkeypatch.setitem(block_sizes.NUMBERS_AT_ONCE, "cpu", 2 * n_nodes * 50)
    number, all_seen = most_similar(direction, 7)
    assert torch.equal(number, by_tree)
    assert torch.equal(all_seen, seen)


def test_the_size_of_a_block_changes_no_answer(monkeypatch):
    direction = unit_vectors(1, 3000)
    expected = most_similar(direction, 5)
    for at_once in (1, 1 << 27):
        monkeypatch.setitem(block_sizes.NUMBERS_AT_ONCE, "cpu", at_once)
        found = most_similar(direction, 5)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_neighbours_in_space_are_searched_once_for_positions_that_live(monkeypatch):
    searched = []

    def search(coords, count):
        searched.append((len(coords), count))
        return nearest_in_space(coords, count)

    monkeypatch.setattr(neighbour_search, "nearest_in_space", search)
    neighbours = SpatialNeighbours()
    coords, others = torch.rand(20, 2), torch.rand(30, 2)
    for _ in range(3):
        assert torch.equal(neighbours.of(coords, 4).long(), nearest_in_space(coords, 4))
        neighbours.of(others, 4)
        neighbours.of(coords, 2)
    assert searched == [(20, 4), (30, 4), (20, 2)]


def test_neighbours_in_space_of_images_beyond_the_room_are_searched_at_each_use(monkeypatch):
    searched = []
    monkeypatch.setattr(neighbour_search, "PLACES_REMEMBERED", 50)
    monkeypatch.setattr(
        neighbour_search, "nearest_in_space", lambda coords, count: searched.append(len(coords)) or coords[:, :count]
    )
    neighbours = SpatialNeighbours()
    first, second = torch.rand(30, 2), torch.rand(40, 2)
    for coords in (first, second, first, second):
        neighbours.of(coords, 1)
    assert searched == [30, 40, 40]
    del first
    neighbours.of(second, 1)
    neighbours.of(second, 1)
    assert searched == [30, 40, 40, 40]
