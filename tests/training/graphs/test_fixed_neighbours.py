import numpy as np
import torch

from pipeline.training.graphs.fixed_neighbours import mutual, side_by_side

# Node 1 is nearest to 0 and 2; node 3 has no neighbour, for its own is not found.
NEAREST = torch.tensor([[1], [0], [1], [3]])
FOUND = torch.tensor([[True], [True], [True], [False]])
ADJACENCY = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])


def test_nearest_are_made_mutual_and_none_is_there_twice():
    edges = mutual(NEAREST, FOUND)
    assert edges.source.tolist() == [0, 1, 1, 2]
    assert edges.target.tolist() == [1, 0, 2, 1]
    assert edges.effective_degree().tolist() == [1, 2, 1, 0]


def test_messages_are_means_over_neighbours():
    h = torch.tensor([[1.0, 10.0], [2.0, 20.0], [5.0, 50.0], [7.0, 70.0]])
    expected = [[2, 20], [3, 30], [2, 20], [0, 0]]
    assert mutual(NEAREST, FOUND).messages(h).tolist() == expected


def test_gradients_are_those_of_the_matrix():
    h = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    mean = torch.tensor(ADJACENCY / ADJACENCY.sum(axis=1, keepdims=True).clip(1))
    weight = torch.arange(12.0).view(4, 3)
    (expected,) = torch.autograd.grad((mean @ h * weight).sum(), h)
    (found,) = torch.autograd.grad((mutual(NEAREST, FOUND).messages(h) * weight).sum(), h)
    torch.testing.assert_close(found, expected)


def test_graphs_side_by_side_stay_apart():
    edges = side_by_side([mutual(NEAREST, FOUND), mutual(torch.tensor([[1], [0]]))])
    assert edges.source.tolist() == [0, 1, 1, 2, 4, 5]
    assert edges.target.tolist() == [1, 0, 2, 1, 5, 4]


def test_no_neighbours_at_all_send_nothing():
    edges = mutual(torch.zeros(1, 0, dtype=torch.int64))
    assert edges.messages(torch.ones(1, 2)).tolist() == [[0, 0]]
