r"""Products with sparse matrices, of rows that hold equally many weighted entries, and of graphs without weights.

A matrix A (R, C) is kept as weights (R, K) and the columns of the entries; an entry of
weight 0 is no entry.  Three products are closed under differentiation, of any order:

.. math:: \text{A h}: m_r = \textstyle\sum_k A_{rk} h_{c(r,k)}, \quad
    \text{A}^\top \text{g}: s_c = \textstyle\sum_{(r,k): c(r,k) = c} A_{rk} g_r, \quad
    \text{dots}: d_{rk} = g_r \cdot h_{c(r,k)}

None of them holds a vector for each entry, as message passing by gathering would, and sums
are taken in a fixed order.  Weights and vectors share one type, float32 or float64.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import embedding, embedding_bag

from pipeline.training.graphs.block_sizes import numbers_at_once


@dataclass(frozen=True)
class Pattern:
    """Where the entries of a matrix stand.

    Attributes
    ----------
    column
        int32 (R, K); a row may name a column more than once.
    n_columns
        C.
    """

    column: Tensor
    n_columns: int

    @cached_property
    def edge_index(self) -> Tensor:
        """Row and column of each entry, int64 (2, R * K)."""
        n_rows, n_slots = self.column.shape
        row = torch.arange(n_rows, device=self.column.device).repeat_interleave(n_slots)
        return torch.stack([row, self.column.flatten().long()])

    @cached_property
    def by_column(self) -> tuple[Tensor, Tensor, Tensor]:
        """Entries in the order of their columns: their places and rows, int32 (R * K,), and each column's first."""
        in_order, place = self.column.flatten().sort(stable=True)
        columns = torch.arange(self.n_columns, dtype=torch.int32, device=place.device)
        first = torch.searchsorted(in_order, columns, out_int32=True)
        return place.int(), (place // self.column.shape[1]).int(), first


@dataclass(frozen=True)
class Neighbours:
    """A graph over N nodes whose edges count alike, each in both directions, and none twice.

    Attributes
    ----------
    edge_index
        int64 (2, E), by source, then by target.
    n_nodes
        N.
    """

    edge_index: Tensor
    n_nodes: int

    @cached_property
    def bounds(self) -> Tensor:
        """Place of each node's first neighbour in ``target``, and E, int32 (N + 1,)."""
        nodes = torch.arange(self.n_nodes + 1, device=self.edge_index.device)
        return torch.searchsorted(self.edge_index[0].contiguous(), nodes, out_int32=True)

    @cached_property
    def degree(self) -> Tensor:
        """Neighbours of each node, int64 (N,)."""
        return self.bounds.diff().long()

    @cached_property
    def target(self) -> Tensor:
        """Neighbours of node 0, then of node 1, and so on, int32 (E,)."""
        return self.edge_index[1].int()

    @cached_property
    def first(self) -> Tensor:
        """Place of each node's first neighbour in ``target``, int32 (N,)."""
        return self.bounds[:-1]


def product(weight: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
    """A h, (R, d), from weights (R, K) and h (C, d)."""
    result: Tensor = _Product.apply(weight, h, pattern)  # type: ignore[no-untyped-call]
    return result


def transposed_product(weight: Tensor, pattern: Pattern, g: Tensor) -> Tensor:
    """A^T g, (C, d), from weights (R, K) and g (R, d)."""
    result: Tensor = _TransposedProduct.apply(weight, g, pattern)  # type: ignore[no-untyped-call]
    return result


def dots(g: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
    """Inner products of g (R, d) and h (C, d) at the entries, (R, K)."""
    result: Tensor = _Dots.apply(g, h, pattern)  # type: ignore[no-untyped-call]
    return result


def neighbour_sum(h: Tensor, neighbours: Neighbours) -> Tensor:
    """Sum of h (N, d) over the neighbours of each node, (N, d)."""
    result: Tensor = _NeighbourSum.apply(h, neighbours)  # type: ignore[no-untyped-call]
    return result


class _Product(Function):
    """See ``product``; its gradients are ``dots`` and ``transposed_product``."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, h: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(weight, h)
        ctx.pattern = pattern
        return embedding_bag(pattern.column, h, mode="sum", per_sample_weights=weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weight, h = ctx.saved_tensors
        for_weight, for_h, _ = ctx.needs_input_grad
        return (
            dots(grad, ctx.pattern, h) if for_weight else None,
            transposed_product(weight, ctx.pattern, grad) if for_h else None,
            None,
        )


class _TransposedProduct(Function):
    """See ``transposed_product``; its gradients are ``dots`` and ``product``."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, g: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(weight, g)
        ctx.pattern = pattern
        place, row, first = pattern.by_column
        return embedding_bag(row, g, first, mode="sum", per_sample_weights=weight.flatten()[place])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weight, g = ctx.saved_tensors
        for_weight, for_g, _ = ctx.needs_input_grad
        return (
            dots(g, ctx.pattern, grad) if for_weight else None,
            product(weight, ctx.pattern, grad) if for_g else None,
            None,
        )


class _Dots(Function):
    """See ``dots``; its gradients are ``product`` and ``transposed_product``."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, h: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(g, h)
        ctx.pattern = pattern
        n_slots = pattern.column.shape[1]
        rows = max(1, numbers_at_once(g.device) // max(1, n_slots * g.shape[1]))
        result = g.new_empty(pattern.column.shape)
        with torch.autocast(g.device.type, enabled=False):
            for first in range(0, len(g), rows):
                block = slice(first, first + rows)
                result[block] = (embedding(pattern.column[block], h) @ g[block].unsqueeze(2)).squeeze(2)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        g, h = ctx.saved_tensors
        for_g, for_h, _ = ctx.needs_input_grad
        return (
            product(grad, ctx.pattern, h) if for_g else None,
            transposed_product(grad, ctx.pattern, g) if for_h else None,
            None,
        )


class _NeighbourSum(Function):
    """See ``neighbour_sum``; its transpose is itself, for every edge goes both ways."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, neighbours: Neighbours) -> Tensor:
        ctx.neighbours = neighbours
        return embedding_bag(neighbours.target, h, neighbours.first, mode="sum")

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return neighbour_sum(grad.contiguous(), ctx.neighbours), None
