"""The counter of kernels itself: what it must see, and what it must not take for it."""

import pytest
import torch

from tests.watched_kernels import Watched

X = torch.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: X[X > 2],
        lambda: float(X.sum()),
        lambda: bool((X > 2).any()),
        lambda: X.nonzero(),
        lambda: X.nonzero(as_tuple=True),
        lambda: X.unique(),
        lambda: torch.bincount(X.flatten().long()),
        lambda: torch.arange(2).repeat_interleave(torch.tensor([1, 2])),
    ],
)
def test_what_the_host_would_wait_for_is_seen(call):
    with Watched() as watched:
        call()
    assert watched.waits.total() == 1


@pytest.mark.parametrize(
    "pick",
    [
        lambda x: x.take_along_dim(torch.zeros(2, 1, dtype=torch.int64), dim=1),
        lambda x: x[torch.tensor([0, 0])],
        lambda x: x.index_select(0, torch.tensor([1])),
    ],
)
def test_gradients_that_add_by_index_are_seen(pick):
    x = X.clone().requires_grad_()
    with Watched() as watched:
        pick(x).sum().backward()
    assert watched.sorts.total() == 1
    assert not watched.waits


def test_values_that_go_to_another_device_are_seen():
    elsewhere = torch.empty(2, 3, device="meta")
    for go in (lambda: X.to("meta"), lambda: elsewhere.copy_(X), lambda: torch.tensor([1, 2]).to("meta")):
        with Watched() as watched:
            go()
        assert watched.copies.total() == 1
    with Watched() as watched:
        elsewhere += elsewhere * 2
    assert watched.copies.total() == 0


def test_plain_arithmetic_is_neither_and_views_are_no_launches():
    x = X.clone().requires_grad_()
    with Watched() as watched:
        y = x.view(3, 2).t()
        assert watched.launches == 0
        (y @ y.T).softmax(dim=-1).sum().backward()
        torch.arange(2).repeat_interleave(torch.tensor([1, 2]), output_size=3)
    assert watched.launches > 2
    assert not watched.waits + watched.sorts
