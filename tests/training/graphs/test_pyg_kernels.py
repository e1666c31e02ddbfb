"""Our kernels and PyTorch Geometric's message passing give the same numbers and gradients."""

import pytest
import torch
from torch_geometric.utils import scatter

from pipeline.training.graphs.edge_kernels import OWN_KERNELS
from pipeline.training.graphs.pyg_kernels import PyGKernels
from pipeline.training.graphs.sparse_kernels import Neighbours, Pattern

N_ROWS, N_SLOTS, WIDTH = 9, 4, 3


def drawn(*shape, seed):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


@pytest.fixture
def pattern():
    # Columns are named unequally often, the last not at all, and some twice in a row.
    column = torch.randint(N_ROWS - 1, (N_ROWS, N_SLOTS), generator=torch.Generator().manual_seed(0))
    return Pattern(column.int(), N_ROWS)


@pytest.fixture
def neighbours():
    joined = torch.rand(N_ROWS, N_ROWS, generator=torch.Generator().manual_seed(1)) < 0.3
    joined = (joined | joined.T).fill_diagonal_(False)
    joined[4] = joined[:, 4] = False
    return Neighbours(joined.nonzero().T, N_ROWS)


def of_pyg(pattern, neighbours, weight, g, h):
    """All three by ``scatter``, which PyTorch Geometric's layers are made of."""
    row, column = pattern.edge_index
    source, target = neighbours.edge_index
    return (
        scatter(weight.flatten().unsqueeze(1) * h[column], row, dim_size=N_ROWS, reduce="sum"),
        (g[row] * h[column]).sum(dim=1).view_as(weight),
        scatter(h[target], source, dim_size=N_ROWS, reduce="mean"),
    )


@pytest.mark.parametrize("kernels", [OWN_KERNELS, PyGKernels()], ids=["own", "pyg"])
def test_values_and_gradients_of_first_and_second_order_are_those_of_scatter(kernels, pattern, neighbours):
    inputs = drawn(N_ROWS, N_SLOTS, seed=2), drawn(N_ROWS, WIDTH, seed=3), drawn(N_ROWS, WIDTH, seed=4)
    weight, g, h = inputs
    ours = (
        kernels.weighted_sums(weight, pattern, h),
        kernels.dots(g, pattern, h),
        kernels.neighbour_means(h, neighbours),
    )
    for mine, theirs in zip(ours, of_pyg(pattern, neighbours, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs)
        first = [derivatives(value.pow(3).sum(), inputs) for value in (mine, theirs)]
        second = [derivatives(sum(g.square().sum() for g in gradients), inputs) for gradients in first]
        for a, b in zip(first[0] + second[0], first[1] + second[1], strict=True):
            torch.testing.assert_close(a, b)


def derivatives(total, inputs):
    return torch.autograd.grad(total, inputs, create_graph=True, materialize_grads=True)


def test_edges_run_from_rows_to_columns(pattern):
    row, column = pattern.edge_index
    assert row.tolist() == [r for r in range(N_ROWS) for _ in range(N_SLOTS)]
    assert column.tolist() == pattern.column.flatten().tolist()
    assert row.dtype == column.dtype == torch.int64
