"""What every graph generator has in common, and the one that makes no graph."""

import math
from abc import ABC, abstractmethod

import numpy as np
from torch import nn

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.graphs.adjacency import Adjacency, NoEdges
from pipeline.training.graphs.image_batches import ImageBatch, PaddedBatch


class GraphGenerator(nn.Module, ABC):
    """From the nodes of images to the graphs between them."""

    batch_kind: type[ImageBatch] = PaddedBatch
    """How the generator takes images where every pair may have a number."""

    @abstractmethod
    def forward(self, batch: ImageBatch) -> Adjacency:
        """The adjacency that a classifier uses, noisy where the generator is."""

    @abstractmethod
    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Noise-free graph of each image with its scores before sparsification."""

    def start_epoch(self, epoch: int) -> None:
        """Take whatever schedule the generator has to ``epoch``, counted from 0."""

    @property
    def is_fixed(self) -> bool:
        """Whether it learns nothing, so that one serves several networks."""
        return not list(self.parameters())

    @property
    def tau(self) -> float:
        """Temperature of the relaxation; NaN without one."""
        return math.nan


class NoGraph(GraphGenerator):
    """For classifiers that look at each node by itself."""

    def forward(self, batch: ImageBatch) -> NoEdges:
        """No edges."""
        return NoEdges()

    def learned_graphs(self, batch: ImageBatch) -> list[LearnedGraph]:
        """Graphs without edges."""
        empty = LearnedGraph(np.zeros((2, 0), np.int64), np.zeros(0, np.float32), np.zeros(0, np.bool_))
        return [empty] * len(batch.images)
