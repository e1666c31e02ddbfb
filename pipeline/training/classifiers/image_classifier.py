"""A method's network: a graph generator (or none) and a classifier."""

from torch import Tensor, nn

from pipeline.training.classifiers.baselines import (
    AttentionMIL,
    CosineGraph,
    LogisticPooled,
    MeanPool,
    NeighbourGraph,
    SpatialGraph,
)
from pipeline.training.classifiers.gcn import PaperGCN
from pipeline.training.classifiers.sparse_gcn import Edges, SparseRelationalGCN
from pipeline.training.graphs.candidate_edges import CandidateParams, SparseMetric
from pipeline.training.graphs.generators import GraphGenerator, PairMLP
from pipeline.training.graphs.packed_batches import PackedGraphs
from pipeline.training.graphs.padded_batches import GraphBatch
from pipeline.training.methods.presets import MethodSpec

Batch = GraphBatch | PackedGraphs
Weights = Tensor | Edges

SPARSE_GENERATORS = (SparseMetric, NeighbourGraph)
"""Those that take packed graphs."""


class ImageClassifier(nn.Module):
    """Logits of an image from its nodes, through the generator's graph if there is one.

    Parameters
    ----------
    dense_limit
        Most nodes of an image in a padded batch; None for a model that takes no packed graphs.
    """

    def __init__(self, generator: GraphGenerator | None, classifier: nn.Module, dense_limit: int | None = None) -> None:
        super().__init__()
        self.dense_limit = dense_limit
        self.generator = generator
        self.classifier = classifier

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, n_classes)."""
        return self.logits(batch, self.weights(batch))

    def weights(self, batch: Batch) -> Weights | None:
        """Adjacency weights (B, H, N, N), or edges on packed graphs; None without a generator."""
        if isinstance(batch, PackedGraphs):
            assert isinstance(self.generator, SPARSE_GENERATORS)
            return self.generator.sparse_weights(batch)
        return None if self.generator is None else self.generator(batch)

    def logits(self, batch: Batch, weights: Weights | None) -> Tensor:
        """Logits (B, n_classes) through a graph that is there already."""
        if isinstance(batch, PackedGraphs):
            assert isinstance(self.classifier, SparseRelationalGCN)
            assert weights is not None
            assert not isinstance(weights, Tensor)
            return self.classifier.sparse_logits(batch, weights)
        logits: Tensor = self.classifier(batch, weights)
        return logits


def build_model(spec: MethodSpec, n_features: int, n_classes: int) -> ImageClassifier:
    """Network of ``spec`` with weights drawn from torch's global generator.

    Parameters
    ----------
    n_features
        Columns of the standardised nodes.
    """
    return ImageClassifier(_generator(spec, n_features), _classifier(spec, n_features, n_classes), spec.dense_limit)


def _generator(spec: MethodSpec, n_features: int) -> GraphGenerator | None:
    settings = spec.settings
    match spec.generator:
        case "none":
            return None
        case "pair_mlp":
            return PairMLP(n_features, draws=spec.draws, stochastic_evaluation=settings.stochastic_evaluation)
        case "metric":
            return SparseMetric(
                n_features,
                heads=settings.heads,
                projection=settings.projection,
                temperature=settings.temperature,
                target_degree=settings.target_degree,
                spatial_term=settings.spatial_term,
                candidates=CandidateParams(settings.similar_candidates, settings.spatial_candidates),
            )
        case "cosine":
            return CosineGraph(settings.target_degree)
        case "spatial":
            return SpatialGraph(settings.target_degree)


def _classifier(spec: MethodSpec, n_features: int, n_classes: int) -> nn.Module:
    width, dropout = spec.settings.hidden, spec.settings.dropout
    match spec.classifier:
        case "relational":
            heads = spec.settings.heads if spec.generator == "metric" else 1
            return SparseRelationalGCN(
                n_features, n_classes, heads=heads, width=width, layers=spec.settings.layers, dropout=dropout
            )
        case "paper_gcn":
            return PaperGCN(n_features, n_classes, dropout=dropout, jumping_knowledge=spec.jumping_knowledge)
        case "mean_pool":
            return MeanPool(n_features, n_classes, width=width, dropout=dropout)
        case "attention_mil":
            return AttentionMIL(n_features, n_classes, width=width, dropout=dropout)
        case "logistic":
            return LogisticPooled(n_features, n_classes)
