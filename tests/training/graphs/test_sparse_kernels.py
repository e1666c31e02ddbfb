import pytest
import torch

from pipeline.training.graphs import sparse_kernels
from pipeline.training.graphs.sparse_kernels import (
    Neighbours,
    Pattern,
    dots,
    neighbour_sum,
    product,
    transposed_product,
)

ROWS, SLOTS, COLUMNS, WIDTH = 7, 3, 5, 2


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), requires_grad=True)


@pytest.fixture
def pattern():
    # The fourth column is named by no row, and some rows name a column twice.
    column = torch.tensor([0, 1, 2, 4])[torch.randint(4, (ROWS, SLOTS), generator=torch.Generator().manual_seed(0))]
    return Pattern(column.int(), COLUMNS)


@pytest.fixture
def weight():
    return drawn(ROWS, SLOTS, seed=1)


@pytest.fixture
def g():
    return drawn(ROWS, WIDTH, seed=2)


@pytest.fixture
def h():
    return drawn(COLUMNS, WIDTH, seed=3)


def dense(weight, pattern):
    rows = torch.arange(ROWS).unsqueeze(1).expand(-1, SLOTS)
    return torch.zeros(ROWS, COLUMNS).index_put((rows, pattern.column.long()), weight, accumulate=True)


def gathered(g, pattern, h):
    return (g.unsqueeze(1) * h[pattern.column.long()]).sum(dim=2)


def test_products_are_those_of_the_dense_matrix(weight, pattern, g, h):
    torch.testing.assert_close(product(weight, pattern, h), dense(weight, pattern) @ h)
    torch.testing.assert_close(transposed_product(weight, pattern, g), dense(weight, pattern).T @ g)
    torch.testing.assert_close(dots(g, pattern, h), gathered(g, pattern, h))


def test_dots_in_blocks_are_those_at_once(pattern, g, h, monkeypatch):
    monkeypatch.setattr(sparse_kernels, "numbers_at_once", lambda _: 2 * SLOTS * WIDTH)
    torch.testing.assert_close(dots(g, pattern, h), gathered(g, pattern, h))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_first_and_second_order_are_those_of_the_dense_matrix(order, weight, pattern, g, h):
    inputs = [weight, g, h]
    sparse = [product(weight, pattern, h), transposed_product(weight, pattern, g), dots(g, pattern, h)]
    plain = [dense(weight, pattern) @ h, dense(weight, pattern).T @ g, gathered(g, pattern, h)]
    for ours, theirs in zip(sparse, plain, strict=True):
        mine, expected = (derivatives(value, inputs, order) for value in (ours, theirs))
        for a, b in zip(mine, expected, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def derivatives(value, inputs, order):
    for _ in range(order):
        total = (value.pow(3)).sum() if isinstance(value, torch.Tensor) else sum((v**2).sum() for v in value)
        value = torch.autograd.grad(total, inputs, create_graph=True, materialize_grads=True)
    return value


def test_a_column_without_entries_gets_nothing(weight, pattern, g):
    assert not transposed_product(weight, pattern, g)[3].any()


@pytest.fixture
def path():
    """0 - 1 - 2, and 3 alone."""
    return Neighbours(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 4)


def test_neighbours_of_a_path(path):
    assert path.degree.tolist() == [1, 2, 1, 0]
    assert path.first.tolist() == [0, 1, 3, 4]
    assert path.target.tolist() == [1, 0, 2, 1]
    h = torch.tensor([[1.0], [2.0], [5.0], [7.0]])
    assert neighbour_sum(h, path).tolist() == [[2], [6], [2], [0]]


def test_gradients_are_those_of_finite_differences(pattern, path, weight, g, h):
    inputs = [values.detach().double().requires_grad_() for values in (weight, g, h)]

    def outputs(weight, g, h):
        values = product(weight, pattern, h), transposed_product(weight, pattern, g), dots(g, pattern, h)
        return *values, neighbour_sum(h[:4], path)

    assert torch.autograd.gradcheck(outputs, inputs)
    assert torch.autograd.gradgradcheck(outputs, inputs)
