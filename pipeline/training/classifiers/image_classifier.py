"""A method's network: a graph generator and a classifier, by the names of the method."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.classifiers.attention_mil import AttentionMIL
from pipeline.training.classifiers.logistic_pooled import LogisticPooled
from pipeline.training.classifiers.mean_pool import MeanPool
from pipeline.training.classifiers.paper_gcn import PaperGCN
from pipeline.training.classifiers.relational_gcn import RelationalGCN
from pipeline.training.classifiers.wikg import HeadTail, KnowledgeAware
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.batching import BatchPlan, planned_batches
from pipeline.training.graphs.candidates import CandidateParams
from pipeline.training.graphs.fixed_graphs import FIXED_GRAPHS
from pipeline.training.graphs.generator import GraphGenerator, NoGraph
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage
from pipeline.training.graphs.message_passing import edge_kernels
from pipeline.training.graphs.metric_generator import Metric, MetricParams
from pipeline.training.graphs.pair_mlp import PairMLP
from pipeline.training.methods.packages import require_package
from pipeline.training.methods.presets import ClassifierName, GeneratorName, MethodSpec


class ImageClassifier(nn.Module):
    """Logits of an image from its nodes, through the generator's graph.

    Parameters
    ----------
    generator
        What makes the graph.
    classifier
        What makes logits (B, n_classes) of an ``ImageBatch`` and an ``Adjacency``.
    dense_limit
        Most nodes of an image in which every pair may have a number; None for no limit.
    """

    def __init__(self, generator: GraphGenerator, classifier: nn.Module, dense_limit: int | None = None) -> None:
        super().__init__()
        self.dense_limit = dense_limit
        self.generator = generator
        self.classifier = classifier

    def batches(
        self, images: Sequence[NodeImage], batch_size: int, order: Sequence[int] | None = None
    ) -> Iterator[tuple[list[int], ImageBatch]]:
        """Yield (positions in ``images``, batch) as the model takes them, in ``order``; None means as they stand."""
        return planned_batches(images, self.plan(batch_size), order)

    def plan(self, batch_size: int) -> BatchPlan:
        """How the model takes images, ``batch_size`` at most in a batch."""
        return BatchPlan(batch_size, self.dense_limit, self.generator.batch_kind)

    def forward(self, batch: ImageBatch) -> Tensor:
        """Logits (B, n_classes)."""
        return self.logits(batch, self.adjacency(batch))

    def adjacency(self, batch: ImageBatch) -> Adjacency:
        """The graphs of a batch."""
        adjacency: Adjacency = self.generator(batch)
        return adjacency

    def logits(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes) through graphs that are there already."""
        logits: Tensor = self.classifier(batch, adjacency)
        return logits

    def auxiliary_loss(self) -> Tensor | float:
        """What the classifier adds to the loss of the batch it has read last; 0 for most."""
        auxiliary: Tensor | float = getattr(self.classifier, "auxiliary", 0.0)
        return auxiliary

    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Noise-free graph of each image; fixed graphs hold their edges only, no graph none."""
        return self.generator.learned_graphs(batch)


class ImageClassifiers(nn.ModuleList):
    """Image classifiers that are parts of one network, in their order."""

    def __iter__(self) -> Iterator[ImageClassifier]:
        return cast(Iterator[ImageClassifier], super().__iter__())


def build_model(spec: MethodSpec, n_features: int, n_classes: int) -> ImageClassifier:
    """Network of ``spec`` with weights drawn from torch's global generator.

    Parameters
    ----------
    n_features
        Columns of the standardised nodes.

    Raises
    ------
    MissingPackageError
        If the method needs an optional package that is not installed.
    """
    require_package(spec)
    generator = GENERATORS[spec.generator](spec, n_features)
    return ImageClassifier(generator, CLASSIFIERS[spec.classifier](spec, n_features, n_classes), spec.dense_limit)


def _pair_mlp(spec: MethodSpec, n_features: int) -> PairMLP:
    return PairMLP(n_features, draws=spec.draws, stochastic_evaluation=spec.settings.stochastic_evaluation)


def _metric(spec: MethodSpec, n_features: int) -> Metric:
    settings = spec.settings
    params = MetricParams(
        heads=settings.heads,
        projection=settings.projection,
        temperature=settings.temperature,
        target_degree=settings.target_degree,
        spatial_term=settings.spatial_term,
    )
    candidates = CandidateParams(settings.similar_candidates, settings.spatial_candidates)
    return Metric(n_features, params, candidates, edge_kernels(settings.message_passing))


def _fixed(spec: MethodSpec, n_features: int) -> GraphGenerator:
    settings = spec.settings
    kernels = edge_kernels(settings.message_passing)
    return FIXED_GRAPHS[spec.generator](settings.target_degree, spec.dense_limit or 0, kernels)


def _bags(spec: MethodSpec, n_features: int, n_classes: int) -> nn.Module:
    # torchmil is optional, and takes seconds to import.
    from pipeline.training.classifiers.bags.registry import bag_classifier

    return bag_classifier(spec, n_features, n_classes)


def _patch_gcn(spec: MethodSpec, n_features: int, n_classes: int) -> nn.Module:
    # PyTorch Geometric takes seconds to import, which other methods need not pay.
    from pipeline.training.classifiers.patch_gcn import PatchGCN

    return PatchGCN.from_spec(spec, n_features, n_classes)


GENERATORS: Mapping[GeneratorName, Callable[[MethodSpec, int], GraphGenerator]] = {
    "none": lambda spec, n_features: NoGraph(),
    "pair_mlp": _pair_mlp,
    "metric": _metric,
    "cosine": _fixed,
    "spatial": _fixed,
    "head_tail": HeadTail.from_spec,
}
"""Graph generators from a method and the number of node features."""

CLASSIFIERS: Mapping[ClassifierName, Callable[[MethodSpec, int, int], nn.Module]] = {
    "relational": RelationalGCN.from_spec,
    "paper_gcn": PaperGCN.from_spec,
    "mean_pool": MeanPool.from_spec,
    "attention_mil": AttentionMIL.from_spec,
    "logistic": LogisticPooled.from_spec,
    "knowledge_aware": KnowledgeAware.from_spec,
    "abmil": _bags,
    "clam_sb": _bags,
    "dsmil": _bags,
    "transmil": _bags,
    "gtp": _bags,
    "patch_gcn": _patch_gcn,
}
"""Classifiers from a method and the numbers of node features and of classes."""
