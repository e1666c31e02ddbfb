"""What a trained network says: probabilities, losses, and the graphs it used."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.arrays import Float64s
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, labels_of

ImageNetwork = ImageClassifier | PooledAndGraph
"""What makes logits and graphs of images."""

EVALUATION_BATCH = 64
"""Images a batch at evaluation; has no influence on results beyond rounding."""


@dataclass(frozen=True)
class Evaluation:
    """Over some images.

    Attributes
    ----------
    loss
        Mean cross-entropy, unweighted.
    accuracy
        Share of images whose most probable class is the true one.
    mean_degree
        Mean of ``Adjacency.effective_degree`` over patches; NaN without a graph.
    logits
        What the network says by itself, without the offsets of the images, (n_images, n_classes).
    """

    loss: float
    accuracy: float
    mean_degree: float
    logits: Tensor


def predict_logits(model: ImageNetwork, images: Sequence[NodeImage]) -> Tensor:
    """Logits (n_images, n_classes) in evaluation mode, on the CPU."""
    return logits_of_path(model, model, images)


def logits_without_graph(model: PooledAndGraph, images: Sequence[NodeImage]) -> Tensor:
    """Logits (n_images, n_classes) of the pooled path alone, in evaluation mode, on the CPU."""
    return logits_of_path(model, model.without_graph, images)


@torch.no_grad()
def logits_of_path(model: ImageNetwork, path: Callable[[ImageBatch], Tensor], images: Sequence[NodeImage]) -> Tensor:
    """What ``path`` of a model makes of its batches, in the order of ``images``, (n_images, n_classes)."""
    model.eval()
    positions, logits = [], []
    for places, batch in model.batches(images, EVALUATION_BATCH):
        positions += places
        logits.append(path(batch).cpu())
    return torch.cat(logits)[torch.tensor(positions).argsort()]


def predict_probabilities(
    model: ImageNetwork, images: Sequence[NodeImage], *, n_classes: int, temperature: float = 1.0
) -> Float64s:
    """Class probabilities, softmax(logits / temperature), float64 (n_images, n_classes); there may be no image."""
    if not images:
        return np.zeros((0, n_classes))
    logits = predict_logits(model, images).double() / temperature
    probabilities: Float64s = logits.softmax(dim=-1).numpy()
    return probabilities


def accuracy_of(model: ImageNetwork, images: Sequence[NodeImage]) -> float:
    """Share of labelled ``images`` whose most probable class is the true one."""
    labels = torch.from_numpy(labels_of(images))
    return float((predict_logits(model, images).argmax(dim=-1) == labels).double().mean())


@torch.no_grad()
def evaluate_images(model: ImageClassifier, images: Sequence[NodeImage]) -> Evaluation:
    """Loss, accuracy and degree over labelled ``images`` in evaluation mode, in one pass."""
    model.eval()
    places, own, logits, degrees, labels = [], [], [], [], []
    for positions, batch in model.batches(images, EVALUATION_BATCH):
        adjacency = model.adjacency(batch)
        places += positions
        own.append(model.logits(batch, adjacency))
        logits.append((own[-1] + batch.offset).cpu())
        labels.append(batch.labels.cpu())
        degrees.append(adjacency.effective_degree().double().cpu())
    predicted, true = torch.cat(logits), torch.cat(labels)
    return Evaluation(
        loss=float(cross_entropy(predicted, true)),
        accuracy=float((predicted.argmax(dim=-1) == true).double().mean()),
        mean_degree=float(torch.cat(degrees).mean()),
        logits=torch.cat(own).cpu()[torch.tensor(places).argsort()],
    )


@torch.no_grad()
def each_learned_graph(model: ImageNetwork, images: Sequence[NodeImage]) -> Iterator[tuple[int, LearnedGraph]]:
    """Place of each image and its noise-free patch graph, batch after batch.

    Fixed graphs hold their edges only, no graph none.
    """
    model.eval()
    for positions, batch in model.batches(images, EVALUATION_BATCH):
        yield from zip(positions, model.learned_graphs(batch), strict=True)


def learned_graphs(model: ImageNetwork, images: Sequence[NodeImage]) -> list[LearnedGraph]:
    """``each_learned_graph`` of images in their order."""
    graphs = dict(each_learned_graph(model, images))
    return [graphs[position] for position in range(len(images))]
