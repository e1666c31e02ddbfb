"""Transforms of graphs in the manner of ``torch_geometric.transforms``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from pipeline.errors import CohortError

CONSTANT_SPREAD = 1e-9
"""Guard: SD below which, relative to its mean, a feature counts as constant."""


@dataclass(frozen=True)
class Moments:
    """Moments of the columns of ``x`` over its defined values.

    Attributes
    ----------
    count, mean, square
        float64 (d,): number of defined values, their mean, and the sum of the squares of their
        distances from it.
    """

    count: Tensor
    mean: Tensor
    square: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Moments":
        """Moments of x (n, d); NaN is undefined."""
        defined = ~x.isnan()
        count = defined.sum(dim=0).double()
        mean = x.double().nan_to_num(nan=0.0).sum(dim=0) / count.clamp_min(1)
        square = torch.where(defined, x.double() - mean, 0.0).square().sum(dim=0)
        return cls(count, mean, square)

    def merged(self, other: "Moments") -> "Moments":
        """Moments of both sets of values together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        step = other.mean - self.mean
        share = other.count / count.clamp_min(1)
        square = self.square + other.square + step.square() * self.count * share
        return Moments(count, self.mean + step * share, square)

    def scale(self) -> Tensor:
        """Population SD, float64 (d,); infinite where a feature is constant or never defined."""
        spread = (self.square / self.count.clamp_min(1)).sqrt()
        return torch.where(spread <= CONSTANT_SPREAD * self.mean.abs(), torch.inf, spread)


class Standardise(BaseTransform):  # type: ignore[misc]
    """Zero mean and unit SD of ``x``; what is undefined, and a constant feature, becomes 0.

    ``valid`` still tells undefined from average.  Other attributes stay as they are.

    Parameters
    ----------
    moments
        Moments of ``x`` by node type; of a ``Data`` the key is None.
    """

    def __init__(self, moments: dict[str | None, Moments]) -> None:
        self.moments = moments

    @classmethod
    def fit(cls, graphs: Iterable[Data | HeteroData]) -> "Standardise":
        """Transform fitted on ``graphs``, of which one at a time is held.

        Give it training images only, without a transform of their own.

        Raises
        ------
        CohortError
            If there is no node.
        """
        moments: dict[str | None, Moments] = {}
        for graph in graphs:
            for kind, nodes in _by_type(graph).items():
                own = Moments.of(nodes.x)
                moments[kind] = moments[kind].merged(own) if kind in moments else own
        if not any(bool(one.count.any()) for one in moments.values()):
            raise CohortError("standardisation: expected graphs with nodes to fit it on, found none.")
        return cls(moments)

    def forward(self, graph: Data | HeteroData) -> Data | HeteroData:
        """Standardised ``graph``."""
        for kind, nodes in _by_type(graph).items():
            moments = self.moments[kind]
            standard = (nodes.x.double() - moments.mean) / moments.scale()
            nodes.x = standard.nan_to_num(nan=0.0).float()
        return graph


def _by_type(graph: Data | HeteroData) -> dict[str | None, Any]:
    """What holds the ``x`` of each node type."""
    return {kind: graph[kind] for kind in graph.node_types} if isinstance(graph, HeteroData) else {None: graph}


class KeptEdges(BaseTransform):  # type: ignore[misc]
    """Only those learned edges that the classifier used, in place of all that were scored."""

    def forward(self, graph: Data | HeteroData) -> Data | HeteroData:
        """``graph`` with the edges of ``edge_kept`` alone; other relations stay as they are."""
        for store in graph.edge_stores:
            if "edge_kept" in store:
                kept = store.edge_kept
                store.edge_index, store.edge_weight = store.edge_index[:, kept], store.edge_weight[kept]
                del store.edge_kept
        return graph
