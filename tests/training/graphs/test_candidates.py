from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from pipeline.errors import ConfigError
from pipeline.training.graphs import candidates as module
from pipeline.training.graphs.candidates import (
    CandidatePairs,
    CandidateParams,
    Candidates,
    CandidateSearch,
    find_candidates,
    joined,
)
from pipeline.training.graphs.edge_kernels import OWN_KERNELS
from pipeline.training.graphs.image_batches import PackedBatch
from pipeline.training.graphs.message_passing import edge_kernels


def directions(images, n_heads=2, seed=0):
    """Unit vectors (H, N, 3) of packed images."""
    drawn = torch.Generator().manual_seed(seed)
    n_nodes = sum(len(image.x) for image in images)
    return normalize(torch.randn(n_heads, n_nodes, 3, generator=drawn), dim=2)


def pairs_of(images, params, kernels=OWN_KERNELS):
    candidates = CandidateSearch(params).of_images(images, directions(images), remember=False)
    return CandidatePairs(candidates, [len(image.x) for image in images], kernels)


@pytest.fixture
def four():
    """Two heads over an image of three nodes and one of one, in two slots."""
    neighbour = torch.tensor([[[1, 2], [0, 1], [1, 2], [3, 3]], [[2, 0], [1, 0], [0, 2], [3, 3]]]).int()
    filled = neighbour != torch.arange(4).view(1, -1, 1)
    return CandidatePairs(Candidates(neighbour, filled), [3, 1], OWN_KERNELS)


def test_each_head_has_its_nearest_by_similarity_and_the_nearest_in_space(random_images):
    (image,) = random_images([12])
    image = replace(image, coords=torch.rand(12, 2, generator=torch.Generator().manual_seed(4)))
    direction = directions([image])
    candidates = find_candidates(direction, image.coords, CandidateParams(similar=3, spatial=2))
    cosine = direction @ direction.transpose(1, 2)
    cosine.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    distance = torch.cdist(image.coords, image.coords).fill_diagonal_(torch.inf)
    expected = torch.zeros(2, 12, 12, dtype=torch.bool).scatter(2, cosine.topk(3, dim=2).indices, value=True)
    expected |= torch.zeros(12, 12, dtype=torch.bool).scatter(1, distance.topk(2, largest=False).indices, value=True)
    named = torch.zeros(2, 12, 12, dtype=torch.int64)
    named.scatter_add_(2, candidates.neighbour.long(), candidates.filled.long())
    # None is held twice, though a node may be near in both ways.
    assert torch.equal(named, expected.long())


def test_an_empty_slot_holds_the_node_itself(random_images):
    pairs = pairs_of(random_images([15, 1, 4]), CandidateParams(similar=6, spatial=5))
    own = torch.arange(20).view(1, -1, 1)
    assert torch.equal(pairs.candidates.neighbour == own, ~pairs.mask)
    assert pairs.most_neighbours == pairs.mask.shape[2] == 11


def test_images_with_fewer_candidates_leave_slots_empty(random_images):
    params = CandidateParams(similar=4, spatial=0)
    few, many = (find_candidates(i.x.unsqueeze(0), i.coords, params) for i in random_images([3, 9]))
    both = joined([few, many])
    assert both.filled.sum(dim=2).tolist() == [[2] * 3 + [4] * 9]
    assert torch.equal(both.neighbour[:, 3:], many.neighbour + 3)
    alone = joined([find_candidates(torch.ones(1, 1, 2), torch.zeros(1, 2), params)])
    assert alone.filled.tolist() == [[[False]]]


def test_each_head_is_a_block_of_one_matrix(four):
    assert four.pattern.n_columns == 8
    assert four.pattern.column[:4].tolist() == four.candidates.neighbour[0].tolist()
    assert four.pattern.column[4:].tolist() == (four.candidates.neighbour[1] + 4).tolist()


def test_numbers_of_slots_are_those_of_their_pairs(four):
    h = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    coords = torch.tensor([[0.0, 0], [3, 4], [0, 1], [9, 9]])
    products, distances = four.products(h), four.distances(coords)
    assert products[1, 0, 0].item() == pytest.approx(float(h[1, 0] @ h[1, 2]), rel=1e-6)
    assert distances[0, 0].tolist() == [5, 1]
    targets = four.of_targets(torch.arange(8.0).view(2, 4))
    assert targets[1].tolist() == [[6, 4], [5, 4], [4, 6], [7, 7]]


def test_means_count_pairs_without_a_slot(four):
    assert four.mean(torch.full((2, 4, 2), 3.0)).item() == pytest.approx(2 * 4 * 2 * 3 / (2 * (9 + 1)))
    assert four.over_heads(torch.tensor([[1.0, 2, 3, 4], [3, 2, 1, 0]])).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("kernels", ["own", "pyg"])
def test_messages_are_those_of_the_dense_matrix(kernels, random_images):
    images = random_images([7, 1, 5])
    pairs = pairs_of(images, CandidateParams(similar=3, spatial=1), edge_kernels(kernels))
    weights = torch.rand(pairs.mask.shape, generator=torch.Generator().manual_seed(1)) * pairs.mask
    dense = torch.zeros(2, 13, 13).scatter_add(2, pairs.candidates.neighbour.long(), weights)
    h = torch.cat([image.x for image in images])
    torch.testing.assert_close(pairs.weighted_sums(weights, h), torch.cat([dense[0] @ h, dense[1] @ h], dim=1))
    assert not dense[:, 7:].any(dim=0)[:, :7].any()


def test_a_learned_graph_by_hand(four):
    scores = torch.zeros(2, 4, 2)
    scores[0, 0, 0], scores[1, 1, 1], scores[1, 2, 0] = 0.8, 0.4, 0.2
    kept = torch.zeros(2, 4, 2, dtype=torch.bool)
    # The pair 1-2 is kept in one head and direction; empty slots never count.
    kept[0, 2, 0] = kept[0, 2, 1] = kept[0, 3, 0] = True
    triangle, single = four.learned_graphs(scores, kept)
    assert triangle.edge_index.tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    np.testing.assert_allclose(triangle.weight, [0.3, 0.05, 0.3, 0, 0.05, 0], atol=1e-7)
    assert triangle.kept.tolist() == [False, False, False, True, False, True]
    assert single.edge_index.shape == (2, 0)


def test_graphs_number_the_nodes_of_each_image_by_itself(random_images):
    images = random_images([5, 6])
    pairs = pairs_of(images, CandidateParams(similar=2, spatial=0))
    first, second = pairs.learned_graphs(pairs.mask.float(), pairs.mask)
    assert first.edge_index.max() == 4
    assert second.edge_index.min() == 0
    assert second.edge_index.max() == 5


def test_a_search_is_remembered_until_it_is_to_be_forgotten(random_images):
    images, search = random_images([40]), CandidateSearch(CandidateParams(similar=2, spatial=0))
    first, other = directions(images), directions(images, seed=1)

    def neighbours(direction, *, remember=True):
        return search.of_images(images, direction, remember=remember).neighbour

    before = neighbours(first)
    assert torch.equal(neighbours(other), before)
    fresh = neighbours(other, remember=False)
    assert not torch.equal(fresh, before)
    assert torch.equal(neighbours(other), before)
    search.forget()
    assert torch.equal(neighbours(other), fresh)


def test_only_the_latest_candidates_are_remembered(random_images, monkeypatch):
    monkeypatch.setattr(module, "NODES_REMEMBERED", 50)
    images, search = random_images([30, 20, 30]), CandidateSearch(CandidateParams(similar=2, spatial=0))

    def neighbours(image, seed):
        return search.of_images([image], directions([image], seed=seed), remember=True).neighbour

    before = [neighbours(image, 0) for image in images]
    # The last two make 50 nodes, which fit; the first is forgotten.
    assert torch.equal(neighbours(images[2], 1), before[2])
    assert torch.equal(neighbours(images[1], 1), before[1])
    assert not torch.equal(neighbours(images[0], 1), before[0])


def test_what_is_remembered_holds_no_image(random_images):
    images, search = random_images([9]), CandidateSearch(CandidateParams())
    search.of_images(images, directions(images), remember=True)
    assert len(search._remembered) == 1
    images.clear()
    assert len(search._remembered) == 0


@pytest.mark.parametrize("wrong", [{"similar": 0}, {"similar": 2000}, {"spatial": -1}, {"spatial": 1025}])
def test_numbers_of_candidates_have_bounds(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CandidateParams(**wrong)


def test_packed_images_have_the_candidates_of_each(random_images):
    images = random_images([15, 4])
    batch, direction = PackedBatch.of(images), directions(images)
    params = CandidateParams(similar=3, spatial=2)
    together = CandidateSearch(params).of_images(batch.images, direction, remember=False)
    second = find_candidates(direction[:, 15:], images[1].coords, params)
    n_slots = second.filled.shape[2]
    assert torch.equal(together.neighbour[:, 15:, :n_slots], second.neighbour + 15)
