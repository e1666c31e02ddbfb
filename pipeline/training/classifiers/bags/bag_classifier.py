"""The adapter: an image is a bag, and a model of bags reads one after the other.

torchmil (Castro-Macias et al., Apache-2.0) has models of binary bags.  A subclass builds one
and reads a bag with it; batches, folds, seeds, roles, weights of classes and stopping are
those of every other method.  How a model comes to logits of several classes, its docstring
tells: a head of so many outputs where its forward pass allows one, else a member for each
class against the rest.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from pipeline.training.graphs.adjacency import Adjacency
from pipeline.training.graphs.fixed_graphs import FixedAdjacency
from pipeline.training.graphs.image_batches import ImageBatch
from pipeline.training.methods.presets import MethodSpec


@dataclass(frozen=True)
class Bag:
    """One image.

    Attributes
    ----------
    x
        float32 (1, n, d).
    label
        Index of the class; -1 when unknown.
    adjacency
        float32 (1, n, n), D^-1/2 (A + I) D^-1/2 of its patches' graph (Kipf and Welling 2017); None without one.
    """

    x: Tensor
    label: int
    adjacency: Tensor | None


class BagClassifier(nn.Module, ABC):
    """Logits of images that a model of bags reads one by one.

    Attributes
    ----------
    auxiliary
        What the model adds to the loss of the batch it has read last, mean over images; 0 in evaluation mode.
    """

    auxiliary: Tensor | float = 0.0

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Classifier with the numbers of the method, weights drawn from torch's global generator."""

    @abstractmethod
    def read(self, bag: Bag) -> tuple[Tensor, Tensor | float]:
        """Logits (n_classes,) of a bag, and its share of the auxiliary loss, in training mode only."""

    def forward(self, batch: ImageBatch, adjacency: Adjacency) -> Tensor:
        """Logits (B, n_classes)."""
        images = torch.split(batch.packed().x, batch.sizes)
        graphs = dense_graphs(adjacency) if isinstance(adjacency, FixedAdjacency) else [None] * len(images)
        read = zip(images, batch.images, graphs, strict=True)
        bags = [Bag(x.unsqueeze(0), image.label, graph) for x, image, graph in read]
        logits, auxiliary = zip(*(self.read(bag) for bag in bags), strict=True)
        self.auxiliary = sum(auxiliary) / len(bags) if self.training else 0.0
        return torch.stack(logits)


def embedding(spec: MethodSpec, n_features: int) -> nn.Sequential:
    """Layer on each patch before the model: linear, ReLU, dropout, as in the experiments of CLAM (Lu et al. 2021)."""
    settings = spec.settings
    return nn.Sequential(nn.Linear(n_features, settings.hidden), nn.ReLU(), nn.Dropout(settings.dropout))


def dense_graphs(adjacency: FixedAdjacency) -> list[Tensor]:
    """D^-1/2 (A + I) D^-1/2 of each image, float32 (1, n, n)."""
    first, graphs = 0, []
    source, target = adjacency.neighbours.edge_index
    root = (adjacency.neighbours.degree + 1.0).rsqrt()
    for size in adjacency.sizes:
        inside = (source >= first) & (source < first + size)
        graph = torch.eye(size, device=source.device)
        graph[source[inside] - first, target[inside] - first] = 1
        scale = root[first : first + size]
        graphs.append((scale.unsqueeze(1) * graph * scale).unsqueeze(0))
        first += size
    return graphs
