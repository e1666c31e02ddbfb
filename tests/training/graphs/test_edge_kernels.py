import pytest
import torch

from pipeline.training.graphs.edge_kernels import at_least_float32
from pipeline.training.graphs.message_passing import edge_kernels
from pipeline.training.graphs.sparse_kernels import Neighbours, Pattern


@pytest.mark.parametrize("name", ["own", "pyg"])
def test_sums_by_hand(name):
    kernels = edge_kernels(name)
    h = torch.tensor([[1.0, 10.0], [2.0, 20.0], [5.0, 50.0]])
    pattern = Pattern(torch.tensor([[1, 2], [0, 0], [2, 1]]).int(), 3)
    weight = torch.tensor([[1.0, 3], [2, 1], [0, 4]])
    assert kernels.weighted_sums(weight, pattern, h).tolist() == [[17, 170], [3, 30], [8, 80]]
    assert kernels.dots(h, pattern, h).tolist() == [[202, 505], [202, 202], [2525, 1010]]
    path = Neighbours(torch.tensor([[0, 1], [1, 0]]), 3)
    assert kernels.neighbour_means(h, path).tolist() == [[2, 20], [1, 10], [0, 0]]
    star = Neighbours(torch.tensor([[0, 0, 1, 2], [1, 2, 0, 0]]), 3)
    assert kernels.neighbour_means(h, star).tolist() == [[3.5, 35], [1, 10], [1, 10]]


@pytest.mark.parametrize("name", ["own", "pyg"])
def test_no_neighbours_at_all_send_nothing(name):
    none = Neighbours(torch.zeros(2, 0, dtype=torch.int64), 2)
    assert edge_kernels(name).neighbour_means(torch.ones(2, 3), none).tolist() == [[0] * 3] * 2


def test_half_precision_is_raised_and_double_stays():
    kinds = {torch.bfloat16: torch.float32, torch.float32: torch.float32, torch.float64: torch.float64}
    for given, expected in kinds.items():
        assert at_least_float32(torch.ones(1, dtype=given)).dtype == expected
