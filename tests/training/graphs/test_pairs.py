import numpy as np
import pytest
import torch

from pipeline.training.graphs.image_batches import PaddedBatch
from pipeline.training.graphs.pairs import AllPairs


@pytest.fixture
def pairs(images):
    return PaddedBatch.of(images).all_pairs


def test_pairs_are_of_two_different_real_nodes(pairs):
    assert pairs.mask.shape == (4, 1, 9, 9)
    assert pairs.mask.sum(dim=(1, 2, 3)).tolist() == [6 * 5, 9 * 8, 0, 4 * 3]
    assert not pairs.mask.diagonal(dim1=2, dim2=3).any()
    assert pairs.most_neighbours == 8


def test_products_and_distances_are_those_of_each_pair(pairs, batch):
    h = torch.randn(4, 2, 9, 3, generator=torch.Generator().manual_seed(0))
    products, distances = pairs.products(h), pairs.distances(batch.coords)
    assert products[1, 1, 2, 5] == pytest.approx(float(h[1, 1, 2] @ h[1, 1, 5]), rel=1e-5)
    expected = float((batch.coords[1, 2] - batch.coords[1, 5]).norm())
    assert distances[1, 0, 2, 5].item() == pytest.approx(expected, rel=1e-4)


def test_values_of_targets_stand_in_columns(pairs):
    values = torch.arange(4.0 * 2 * 9).view(4, 2, 9)
    weights = torch.zeros(4, 2, 9, 9) + pairs.of_targets(values)
    assert torch.equal(weights[2, 1, 0], values[2, 1])


def test_means_over_heads_are_of_real_nodes_image_by_image(pairs):
    values = torch.arange(4.0 * 2 * 9).view(4, 2, 9)
    expected = [float(values[i, :, n].mean()) for i, size in enumerate([6, 9, 1, 4]) for n in range(size)]
    assert pairs.over_heads(values).tolist() == expected


def test_learned_graphs_of_a_triangle_and_a_single_node_by_hand():
    pairs = AllPairs(torch.tensor([[True, True, True], [True, False, False]]))
    scores = torch.zeros(2, 2, 3, 3)
    scores[0, 0, 0, 1], scores[0, 1, 1, 0], scores[0, 0, 1, 2] = 0.8, 0.4, 0.2
    kept = torch.zeros(2, 2, 3, 3, dtype=torch.bool)
    # Kept in one head and direction; a self-loop and padding never count.
    kept[0, 1, 2, 1] = kept[0, 0, 0, 0] = kept[1, 0, 0, 1] = True
    triangle, single = pairs.learned_graphs(scores, kept)
    assert triangle.edge_index.tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    # Means over two heads and both directions.
    np.testing.assert_allclose(triangle.weight, [0.3, 0, 0.3, 0.05, 0, 0.05])
    assert triangle.kept.tolist() == [False, False, False, True, False, True]
    assert single.edge_index.shape == (2, 0)
    assert (triangle.edge_index.dtype, triangle.weight.dtype, triangle.kept.dtype) == (np.int64, np.float32, np.bool_)
