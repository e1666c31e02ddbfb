"""The only module whose message passing is PyTorch Geometric's."""

from torch import Tensor
from torch_geometric.nn import SimpleConv

from pipeline.training.graphs.edge_kernels import EdgeKernels
from pipeline.training.graphs.sparse_kernels import Neighbours, Pattern


class PyGKernels(EdgeKernels):
    """Vectors gathered for each edge, then scattered; rows are PyTorch Geometric's sources."""

    def __init__(self) -> None:
        self._sum = SimpleConv(aggr="sum", flow="target_to_source")
        self._mean = SimpleConv(aggr="mean", flow="target_to_source")

    def weighted_sums(self, weight: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
        """``SimpleConv`` with edge weights; as many rows as columns."""
        result: Tensor = self._sum(h, pattern.edge_index, weight.flatten())
        return result

    def dots(self, g: Tensor, pattern: Pattern, h: Tensor) -> Tensor:
        """Both ends gathered, multiplied and summed."""
        row, column = pattern.edge_index
        return (g[row] * h[column]).sum(dim=1).view_as(pattern.column)

    def neighbour_means(self, h: Tensor, neighbours: Neighbours) -> Tensor:
        """``SimpleConv`` with the mean for its aggregation."""
        result: Tensor = self._mean(h, neighbours.edge_index)
        return result
