"""What a trained network says: probabilities, losses, and the graphs it used."""

import math
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
from pipeline.training.graphs.resident_images import tabled

ImageNetwork = ImageClassifier | PooledAndGraph
"""What makes logits and graphs of images."""

EVALUATION_BATCH = 64
"""Images a batch at evaluation on a processor; has no influence on results beyond rounding."""

EVALUATION_BATCH_OF_A_CARD = 1024
"""And on a card, to which few large batches cost less; the guards on memory of ``batching`` hold for both."""


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
    positions, logits = [], []
    for places, batch in evaluation_batches(model, images):
        positions += places
        logits.append(path(batch))
    return torch.cat(logits).cpu()[torch.tensor(positions).argsort()]


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


@dataclass(frozen=True)
class Judged:
    """What an ``Evaluation`` is made of, still where it was computed: asking for it waits for nothing.

    Attributes
    ----------
    measures
        Loss, accuracy and mean degree, float64 (3,).
    logits
        (n_images, n_classes), in the order of ``places``.
    places
        Which images these are.
    """

    measures: Tensor
    logits: Tensor
    places: Sequence[int]

    def evaluation(self, measures: Tensor, logits: Tensor) -> Evaluation:
        """The same from ``measures`` (3,) and ``logits`` (n_images, n_classes) on the host, float64."""
        in_order = logits.to(self.logits.dtype)[torch.tensor(self.places).argsort()]
        loss, accuracy, mean_degree = measures.tolist()
        return Evaluation(loss, accuracy, mean_degree, in_order)


@torch.no_grad()
def judge_images(model: ImageClassifier, images: Sequence[NodeImage]) -> Judged:
    """Loss, accuracy and degree over labelled ``images`` in evaluation mode, in one pass."""
    places, own, logits, degrees, labels = [], [], [], [], []
    for positions, batch in evaluation_batches(model, images):
        adjacency = model.adjacency(batch)
        places += positions
        own.append(model.logits(batch, adjacency))
        logits.append(own[-1] + batch.offset)
        labels.append(batch.labels)
        degrees.append(adjacency.effective_degree().double())
    predicted, true = torch.cat(logits), torch.cat(labels)
    accuracy = (predicted.argmax(dim=-1) == true).double().mean()
    # Without a graph no node has a degree, on whatever device.
    degree = torch.cat(degrees).mean() if any(map(len, degrees)) else torch.full_like(accuracy, math.nan)
    measures = torch.stack([cross_entropy(predicted, true).double(), accuracy, degree])
    return Judged(measures, torch.cat(own), places)


def evaluate_images(model: ImageClassifier, images: Sequence[NodeImage]) -> Evaluation:
    """``judge_images`` on the host."""
    judged = judge_images(model, images)
    return judged.evaluation(*on_host([judged.measures, judged.logits]))


def evaluation_batches(model: ImageNetwork, images: Sequence[NodeImage]) -> Iterator[tuple[list[int], ImageBatch]]:
    """Yield (places, batch) over ``images``, in batches as large as their device likes, for a model that evaluates."""
    model.eval()
    on_card = len(images) > 0 and images[0].device.type == "cuda"
    return model.batches(tabled(images), EVALUATION_BATCH_OF_A_CARD if on_card else EVALUATION_BATCH)


def on_host(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Several tensors of one device on the host, float64, by one copy: the device is waited for once."""
    values = torch.cat([tensor.flatten().double() for tensor in tensors]).cpu()
    parts = torch.split(values, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


@torch.no_grad()
def each_learned_graph(model: ImageNetwork, images: Sequence[NodeImage]) -> Iterator[tuple[int, LearnedGraph]]:
    """Place of each image and its noise-free patch graph, batch after batch.

    Fixed graphs hold their edges only, no graph none.
    """
    for positions, batch in evaluation_batches(model, images):
        yield from zip(positions, model.learned_graphs(batch), strict=True)


def learned_graphs(model: ImageNetwork, images: Sequence[NodeImage]) -> list[LearnedGraph]:
    """``each_learned_graph`` of images in their order."""
    graphs = dict(each_learned_graph(model, images))
    return [graphs[position] for position in range(len(images))]
