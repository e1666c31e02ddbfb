"""Fixed neighbour graphs of packed images, without a matrix of all pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import embedding_bag


@dataclass(frozen=True)
class FixedEdges:
    """A graph over N nodes whose edges count alike, each in both directions, and none twice.

    Attributes
    ----------
    target
        int32 (E,), neighbours of node 0, then of node 1, and so on.
    degree
        int64 (N,), number of neighbours of each node.
    """

    target: Tensor
    degree: Tensor

    @cached_property
    def first(self) -> Tensor:
        """Place of each node's first neighbour in ``target``, int32 (N,)."""
        return (self.degree.cumsum(0) - self.degree).int()

    @cached_property
    def source(self) -> Tensor:
        """The node that each of ``target`` is a neighbour of, int64 (E,)."""
        nodes = torch.arange(len(self.degree), device=self.degree.device)
        return nodes.repeat_interleave(self.degree, output_size=len(self.target))

    def messages(self, h: Tensor) -> Tensor:
        """Mean of h (N, d) over the neighbours of each node, float32 (N, d); 0 without any."""
        total: Tensor = _NeighbourSum.apply(h.float(), self)  # type: ignore[no-untyped-call]
        return total / self.degree.clamp_min(1).unsqueeze(1)

    def effective_degree(self) -> Tensor:
        """Neighbours of each node, (N,)."""
        return self.degree


class _NeighbourSum(Function):
    """Sum over neighbours; its transpose is itself, for every edge goes both ways."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, edges: FixedEdges) -> Tensor:
        ctx.edges = edges
        return embedding_bag(edges.target, h, edges.first, mode="sum")

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        result: Tensor = _NeighbourSum.apply(grad.contiguous(), ctx.edges)  # type: ignore[no-untyped-call]
        return result, None


def mutual(nearest: Tensor, found: Tensor | None = None) -> FixedEdges:
    """Edges between each node and its ``nearest``, made mutual.

    Parameters
    ----------
    nearest
        int64 (n, k), numbers of other nodes.
    found
        bool (n, k), which of them count; None means all.
    """
    n_nodes = len(nearest)
    source = torch.arange(n_nodes, device=nearest.device).unsqueeze(1).expand_as(nearest)
    source, target = (nodes.flatten() if found is None else nodes[found] for nodes in (source, nearest))
    names = torch.unique(torch.cat([source * n_nodes + target, target * n_nodes + source]))
    return FixedEdges((names % n_nodes).int(), torch.bincount(names // n_nodes, minlength=n_nodes))


def side_by_side(graphs: Sequence[FixedEdges]) -> FixedEdges:
    """Graphs of several images as one, their nodes counted through."""
    starts = np.cumsum([0, *(len(graph.degree) for graph in graphs[:-1])]).tolist()
    targets = [graph.target + start for graph, start in zip(graphs, starts, strict=True)]
    return FixedEdges(torch.cat(targets), torch.cat([graph.degree for graph in graphs]))
