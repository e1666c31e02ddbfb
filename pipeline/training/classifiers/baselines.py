"""What the learned graph is compared with: fixed graphs, and no graph at all."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.classifiers.gcn import masked_mean
from pipeline.training.graphs.fixed_neighbours import FixedEdges, mutual, side_by_side
from pipeline.training.graphs.generators import GraphGenerator
from pipeline.training.graphs.neighbour_search import most_similar, nearest_in_space
from pipeline.training.graphs.packed_batches import PackedGraphs
from pipeline.training.graphs.padded_batches import GraphBatch, NodeImage, pack

LOGISTIC_ITERATIONS = 2000
"""Most iterations of the logistic regression's solver."""


class NeighbourGraph(GraphGenerator):
    """A fixed graph: each node's nearest others, made mutual, rows normalised.

    Packed graphs are searched without comparing every two nodes; ``degree`` must then be
    above 0.

    Parameters
    ----------
    degree
        Nearest neighbours of a node before making them mutual; 0, or more than there are,
        takes all others.
    """

    dense = False

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree

    @abstractmethod
    def closeness(self, batch: GraphBatch) -> Tensor:
        """What makes neighbours near, (B, N, N); larger is nearer."""

    @abstractmethod
    def edge_scores(self, batch: GraphBatch) -> Tensor:
        """Score in [0, 1] of every pair, were it an edge, (B, N, N)."""

    @abstractmethod
    def sparse_edges(self, image: NodeImage) -> FixedEdges:
        """Edges of one image."""

    @abstractmethod
    def sparse_scores(self, image: NodeImage, edges: FixedEdges) -> Tensor:
        """``edge_scores`` of the edges alone, (E,)."""

    def sparse_weights(self, graphs: PackedGraphs) -> FixedEdges:
        """Edges of all images."""
        return side_by_side([self.sparse_edges(image) for image in graphs.images])

    def sparse_graphs(self, graphs: PackedGraphs) -> list[LearnedGraph]:
        """Edges of each image with their scores."""
        return [self._graph(image, self.sparse_edges(image)) for image in graphs.images]

    def _graph(self, image: NodeImage, edges: FixedEdges) -> LearnedGraph:
        return LearnedGraph(
            edge_index=torch.stack([edges.source, edges.target.long()]).cpu().numpy(),
            weight=self.sparse_scores(image, edges).cpu().numpy(),
            kept=np.ones(len(edges.target), dtype=bool),
        )

    def edges(self, batch: GraphBatch) -> Tensor:
        """Edges, bool (B, N, N), both directions."""
        closeness = self.closeness(batch).masked_fill(~batch.pair_mask, -torch.inf)
        n_nodes = closeness.shape[-1]
        places = closeness.topk(min(self.degree or n_nodes, n_nodes), dim=-1).indices
        nearest = torch.zeros_like(batch.pair_mask).scatter(-1, places, value=True)
        return (nearest | nearest.transpose(1, 2)) & batch.pair_mask

    def forward(self, batch: GraphBatch) -> Tensor:
        """Mean over neighbours as weights (B, 1, N, N)."""
        edges = self.edges(batch).to(batch.x.dtype)
        return (edges / edges.sum(dim=-1, keepdim=True).clamp_min(1)).unsqueeze(1)

    def scores(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Scores of the edges, zero elsewhere, and the edges."""
        edges = self.edges(batch)
        return self.edge_scores(batch) * edges, edges


class CosineGraph(NeighbourGraph):
    """Nearest by cosine similarity of standardised features, after C2P-GCN (Paul et al. 2024, arXiv 2403.04962).

    The published graph cuts at a threshold whose value is not known; a number of
    neighbours needs none.
    """

    def closeness(self, batch: GraphBatch) -> Tensor:
        """Cosine similarity."""
        direction = normalize(batch.x, dim=-1)
        return direction @ direction.transpose(1, 2)

    def edge_scores(self, batch: GraphBatch) -> Tensor:
        """Cosine similarity, negative ones 0."""
        return self.closeness(batch).clamp(0, 1)

    def sparse_edges(self, image: NodeImage) -> FixedEdges:
        """Nearest as far as ``most_similar`` sees."""
        nearest, found = most_similar(normalize(image.x, dim=-1).unsqueeze(0), self.degree)
        return mutual(nearest[0], found[0])

    def sparse_scores(self, image: NodeImage, edges: FixedEdges) -> Tensor:
        """Cosine similarity, negative ones 0."""
        direction = normalize(image.x, dim=-1)
        return (direction[edges.source] * direction[edges.target.long()]).sum(dim=-1).clamp(0, 1)


class SpatialGraph(NeighbourGraph):
    """Nearest by distance of the tiles."""

    def closeness(self, batch: GraphBatch) -> Tensor:
        """Negative distance in tile sides."""
        distance: Tensor = torch.cdist(batch.coords, batch.coords, compute_mode="donot_use_mm_for_euclid_dist")
        return -distance

    def edge_scores(self, batch: GraphBatch) -> Tensor:
        """Always 1."""
        return torch.ones_like(batch.pair_mask, dtype=batch.x.dtype)

    def sparse_edges(self, image: NodeImage) -> FixedEdges:
        """Nearest in space."""
        return mutual(nearest_in_space(image.coords, self.degree))

    def sparse_scores(self, image: NodeImage, edges: FixedEdges) -> Tensor:
        """Always 1."""
        return torch.ones_like(edges.target, dtype=image.x.dtype)


def node_mlp(n_features: int, width: int, dropout: float) -> nn.Sequential:
    """Two layers on each node by itself."""
    return nn.Sequential(
        nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU()
    )


class MeanPool(nn.Module):
    """Node MLP, mean over nodes, MLP head (Zaheer et al. 2017)."""

    def __init__(self, n_features: int, n_classes: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.nodes = node_mlp(n_features, width, dropout)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_classes))

    def forward(self, batch: GraphBatch, weights: Tensor | None = None) -> Tensor:
        """Logits (B, n_classes)."""
        logits: Tensor = self.head(masked_mean(self.nodes(batch.x), batch.mask))
        return logits


class AttentionMIL(nn.Module):
    r"""Gated-attention multiple instance learning (Ilse et al. 2018, eq. 9).

    .. math:: a_k \propto \exp\big(w^\top (\tanh(V h_k) \odot \sigma(U h_k))\big), \quad z = \textstyle\sum_k a_k h_k
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.nodes = node_mlp(n_features, width, dropout)
        self.tangent = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, n_classes))

    def attention(self, h: Tensor, mask: Tensor) -> Tensor:
        """Attention (B, N) over real nodes, summing to 1."""
        score = self.score(torch.tanh(self.tangent(h)) * torch.sigmoid(self.gate(h))).squeeze(-1)
        attention: Tensor = score.masked_fill(~mask, -torch.inf).softmax(dim=-1)
        return attention

    def forward(self, batch: GraphBatch, weights: Tensor | None = None) -> Tensor:
        """Logits (B, n_classes)."""
        h = self.nodes(batch.x)
        attention = self.attention(h, batch.mask)
        logits: Tensor = self.head((attention.unsqueeze(-1) * h).sum(dim=1))
        return logits


class LogisticPooled(nn.Module):
    """Logistic regression on mean and SD of each feature over the nodes.

    Its weights come from scikit-learn, not from gradient steps here; see ``fit``.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * n_features, n_classes)
        self.register_buffer("centre", torch.zeros(2 * n_features))
        self.register_buffer("scale", torch.ones(2 * n_features))

    def pooled(self, batch: GraphBatch) -> Tensor:
        """Mean and population SD of the nodes, (B, 2d)."""
        mean = masked_mean(batch.x, batch.mask)
        variance = masked_mean((batch.x - mean.unsqueeze(1)) ** 2, batch.mask)
        return torch.cat([mean, variance.sqrt()], dim=-1)

    def forward(self, batch: GraphBatch, weights: Tensor | None = None) -> Tensor:
        """Logits (B, n_classes)."""
        logits: Tensor = self.linear((self.pooled(batch) - self.centre) / self.scale)
        return logits

    @torch.no_grad()
    def fit(self, images: Sequence[NodeImage], *, balanced: bool) -> None:
        """Set centre, scale and weights from every training image.

        Parameters
        ----------
        balanced
            Whether classes weigh by their inverse frequency.
        """
        pooled = torch.cat([self.pooled(pack([image])) for image in images])
        self.centre.copy_(pooled.mean(dim=0))
        spread = pooled.std(dim=0, correction=0)
        self.scale.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        rows = ((pooled - self.centre) / self.scale).double().cpu().numpy()
        regression = LogisticRegression(max_iter=LOGISTIC_ITERATIONS, class_weight="balanced" if balanced else None)
        regression.fit(rows, [image.label for image in images])
        self.linear.weight.copy_(torch.from_numpy(_per_class(regression.coef_)))
        self.linear.bias.copy_(torch.from_numpy(_per_class(regression.intercept_[:, None])[:, 0]))


def _per_class(parameters: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One row a class; scikit-learn gives one row for two classes, the logit of the second."""
    return np.concatenate([-parameters, parameters]) / 2 if len(parameters) == 1 else parameters
