"""A method's network: a graph generator (or none) and a classifier."""

from torch import Tensor, nn

from pipeline.training.baselines import AttentionMIL, CosineGraph, LogisticPooled, MeanPool, SpatialGraph
from pipeline.training.batches import GraphBatch
from pipeline.training.gcn import PaperGCN, RelationalGCN
from pipeline.training.generators import GraphGenerator, Metric, PairMLP
from pipeline.training.presets import MethodSpec


class ImageClassifier(nn.Module):
    """Logits of an image from its nodes, through the generator's graph if there is one."""

    def __init__(self, generator: GraphGenerator | None, classifier: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.classifier = classifier

    def forward(self, batch: GraphBatch) -> Tensor:
        """Logits (B, n_classes)."""
        logits: Tensor = self.classifier(batch, self.weights(batch))
        return logits

    def weights(self, batch: GraphBatch) -> Tensor | None:
        """Adjacency weights (B, H, N, N); None without a generator."""
        return None if self.generator is None else self.generator(batch)


def build_model(spec: MethodSpec, n_features: int, n_classes: int) -> ImageClassifier:
    """Network of ``spec`` with weights drawn from torch's global generator.

    Parameters
    ----------
    n_features
        Columns of the standardised nodes.
    """
    return ImageClassifier(_generator(spec, n_features), _classifier(spec, n_features, n_classes))


def _generator(spec: MethodSpec, n_features: int) -> GraphGenerator | None:
    settings = spec.settings
    match spec.generator:
        case "none":
            return None
        case "pair_mlp":
            return PairMLP(n_features, draws=spec.draws, stochastic_evaluation=settings.stochastic_evaluation)
        case "metric":
            return Metric(
                n_features,
                heads=settings.heads,
                projection=settings.projection,
                temperature=settings.temperature,
                target_degree=settings.target_degree,
                spatial_term=settings.spatial_term,
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
            return RelationalGCN(
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
