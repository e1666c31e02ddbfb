"""Wide and deep: what is read without a learned graph, and what learned graphs add to it.

After Cheng et al. 2016 (arXiv 1606.07792); here the two paths are fitted one after the
other, and how much of each is kept is decided on images that fitted neither
(``fitting.graph_gate``).
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from pipeline.artefacts.learned_graphs import LearnedGraph, mean_graph
from pipeline.training.classifiers.image_classifier import ImageClassifier, ImageClassifiers, build_model
from pipeline.training.classifiers.pooled_path import PooledPath
from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage
from pipeline.training.graphs.metric_generator import Metric
from pipeline.training.methods.presets import MethodSpec, pooled_spec


class PooledAndGraph(nn.Module):
    r"""Logits of the pooled path and those of several graph models by their votes, each path kept in part.

    .. math:: z = \beta\, z_{pooled} + \alpha\, \textstyle\sum_k w_k g_k, \quad \sum_k w_k = 1

    Parameters
    ----------
    pooled
        What needs no graph.
    members
        The K graph models, at least one, all of one method.
    """

    pooled_kept: Tensor
    graph_kept: Tensor
    pooled_alone: Tensor
    votes: Tensor

    def __init__(self, pooled: PooledPath, members: Sequence[ImageClassifier]) -> None:
        super().__init__()
        self.pooled = pooled
        self.members = ImageClassifiers(members)
        self.register_buffer("pooled_kept", torch.ones(()))
        self.register_buffer("graph_kept", torch.ones(()))
        self.register_buffer("pooled_alone", torch.ones(()))
        self.register_buffer("votes", torch.full((len(members),), 1 / len(members)))

    @classmethod
    def from_spec(
        cls, spec: MethodSpec, n_features: int, n_classes: int, *, n_members: int, n_pooled: int
    ) -> "PooledAndGraph":
        """With ``n_members`` graph models of ``spec``, and ``n_pooled`` networks in the pooled path."""
        networks = [build_model(pooled_spec(spec), n_features, n_classes) for _ in range(n_pooled)]
        members = [build_model(spec, n_features, n_classes) for _ in range(n_members)]
        return cls(PooledPath(networks, n_features, n_classes), members)

    @torch.no_grad()
    def keep(self, *, pooled: float, graph: float, alone: float, votes: Sequence[float]) -> None:
        """Take how much counts of the pooled path, of the graph path and of the pooled path alone, and votes."""
        self.pooled_kept.fill_(pooled)
        self.graph_kept.fill_(graph)
        self.pooled_alone.fill_(alone)
        self.votes.copy_(torch.tensor(votes))

    def batches(
        self, images: Sequence[NodeImage], batch_size: int, order: Sequence[int] | None = None
    ) -> Iterator[tuple[list[int], ImageBatch]]:
        """See ``ImageClassifier.batches``."""
        return next(iter(self.members)).batches(images, batch_size, order)

    def forward(self, batch: ImageBatch) -> Tensor:
        """Logits (B, n_classes)."""
        if not self.graph_kept:
            return self.pooled_path(batch)
        return self.through(batch, (member.adjacency(batch) for member in self.members))

    def through(self, batch: ImageBatch, adjacencies: Iterable[Adjacency]) -> Tensor:
        """Logits (B, n_classes) through graphs that are there already, one of each graph model."""
        pairs = zip(self.members, adjacencies, strict=True)
        added = torch.stack([member.logits(batch, adjacency) for member, adjacency in pairs])
        return self.pooled_path(batch) + self.graph_kept * torch.einsum("k,kbc->bc", self.votes, added)

    def pooled_path(self, batch: ImageBatch) -> Tensor:
        """What the pooled path adds to the logits beside the graph path, (B, n_classes)."""
        if not self.pooled_kept:
            return batch.x.new_zeros(len(batch.labels), self.pooled.linear.out_features)
        logits: Tensor = self.pooled_kept * self.pooled(batch)
        return logits

    def without_graph(self, batch: ImageBatch) -> Tensor:
        """Logits (B, n_classes) of the pooled path alone."""
        logits: Tensor = self.pooled_alone * self.pooled(batch)
        return logits

    @property
    def pretraining(self) -> dict[str, float] | None:
        """What pre-training of the metrics found, mean over graph models; None of other generators."""
        metrics = [member.generator for member in self.members if isinstance(member.generator, Metric)]
        if not metrics:
            return None
        found = ("contrast", "signature")
        return {name: float(torch.stack([getattr(metric, name) for metric in metrics]).mean()) for name in found}

    @torch.no_grad()
    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Mean by votes of the graph models' noise-free graphs of each image, whether it is kept or not."""
        votes = self.votes.tolist()
        by_member = [member.learned_graphs(batch) for member in self.members]
        return [
            mean_graph(graphs, size, votes)
            for graphs, size in zip(zip(*by_member, strict=True), batch.sizes, strict=True)
        ]
