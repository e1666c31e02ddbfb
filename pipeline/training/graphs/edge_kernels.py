"""Sums along edges: what they are, and our own kernels.

``message_passing`` chooses between these and PyTorch Geometric's.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from pipeline.training.graphs.sparse_kernels import Neighbours, Pattern, dots, neighbour_sum, product


class EdgeKernels(ABC):
    """Differentiable sums along the edges of a graph, of first and second order."""

    @abstractmethod
    def weighted_sums(self, weight: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
        """Sum of h (C, d) over the columns of each row, weighted by (R, K): (R, d)."""

    @abstractmethod
    def dots(self, g: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
        """Inner products of g (R, d) and h (C, d) at the entries, (R, K)."""

    @abstractmethod
    def neighbour_means(self, h: Tensor, neighbours: Neighbours) -> Tensor:
        """Mean of h (N, d) over the neighbours of each node, (N, d); 0 without any."""


class OwnKernels(EdgeKernels):
    """``sparse_kernels``: gathered and summed in one go, in a fixed order."""

    def weighted_sums(self, weight: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
        """``sparse_kernels.product``."""
        return product(weight, pattern, h)

    def dots(self, g: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
        """``sparse_kernels.dots``."""
        return dots(g, pattern, h)

    def neighbour_means(self, h: Tensor, neighbours: Neighbours) -> Tensor:
        """``sparse_kernels.neighbour_sum`` over the degree."""
        return neighbour_sum(h, neighbours) / neighbours.degree.clamp_min(1).unsqueeze(1)


OWN_KERNELS = OwnKernels()


def at_least_float32(values: Tensor) -> Tensor:
    """``values`` in single precision where mixed precision has them in less; sums over many need it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
