"""What a trained network says: probabilities, losses, and the graphs it used."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.classifiers.image_classifier import SPARSE_GENERATORS, Batch, ImageClassifier, Weights
from pipeline.training.graphs.packed_batches import PackedGraphs, batches_by_size
from pipeline.training.graphs.padded_batches import GraphBatch, NodeImage

EVALUATION_BATCH = 64
"""Images a batch at evaluation; has no influence on results beyond rounding."""

SMALLEST = 1e-30
"""Guard: least sum of squares of a row that is divided by."""


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
        Mean of ``effective_degree`` over patches; NaN without a graph.
    """

    loss: float
    accuracy: float
    mean_degree: float


@torch.no_grad()
def predict_logits(model: ImageClassifier, images: Sequence[NodeImage]) -> Tensor:
    """Logits (n_images, n_classes) in evaluation mode, on the CPU."""
    model.eval()
    found = [(positions, model(batch).cpu()) for positions, batch in _batches(model, images)]
    return torch.cat([logits for _, logits in found])[_back([p for positions, _ in found for p in positions])]


def _batches(model: ImageClassifier, images: Sequence[NodeImage]) -> Iterator[tuple[list[int], Batch]]:
    return batches_by_size(images, EVALUATION_BATCH, model.dense_limit)


def _back(positions: Sequence[int]) -> Tensor:
    """Where in ``positions`` each image is."""
    return torch.tensor(positions).argsort()


def predict_probabilities(
    model: ImageClassifier, images: Sequence[NodeImage], *, n_classes: int, temperature: float = 1.0
) -> npt.NDArray[np.float64]:
    """Class probabilities, softmax(logits / temperature), float64 (n_images, n_classes); there may be no image."""
    if not images:
        return np.zeros((0, n_classes))
    logits = predict_logits(model, images).double() / temperature
    probabilities: npt.NDArray[np.float64] = logits.softmax(dim=-1).numpy()
    return probabilities


@torch.no_grad()
def evaluate_images(model: ImageClassifier, images: Sequence[NodeImage]) -> Evaluation:
    """Loss, accuracy and degree over labelled ``images`` in evaluation mode, in one pass."""
    model.eval()
    logits, degrees, labels = [], [], []
    for _, batch in _batches(model, images):
        weights = model.weights(batch)
        logits.append(model.logits(batch, weights).cpu())
        labels.append(batch.labels.cpu())
        if weights is not None:
            degrees.append(_degrees(weights, batch).double().cpu())
    found, true = torch.cat(logits), torch.cat(labels)
    correct = (found.argmax(dim=-1) == true).double().mean()
    degree = float(torch.cat(degrees).mean()) if degrees else math.nan
    return Evaluation(float(cross_entropy(found, true)), float(correct), degree)


def _degrees(weights: Weights, batch: Batch) -> Tensor:
    """Effective degrees of the real nodes."""
    if isinstance(weights, Tensor):
        assert isinstance(batch, GraphBatch)
        return effective_degree(weights, batch)[batch.mask]
    return weights.effective_degree()


def effective_degree(weights: Tensor, batch: GraphBatch) -> Tensor:
    """(sum_j A_ij)^2 / sum_j A_ij^2 of each patch, A without its diagonal, mean over heads, (B, N).

    Parameters
    ----------
    weights
        Adjacency weights (B, H, N, N).
    """
    weights = weights * batch.pair_mask.unsqueeze(1)
    square = weights.square().sum(dim=-1)
    degree = torch.where(square > 0, weights.sum(dim=-1).square() / square.clamp_min(SMALLEST), square)
    return degree.mean(dim=1)


@torch.no_grad()
def learned_graphs(model: ImageClassifier, images: Sequence[NodeImage]) -> list[LearnedGraph]:
    """Noise-free patch graph of each image; fixed graphs hold their edges only, no graph none."""
    model.eval()
    if model.generator is None:
        return [_graph(np.zeros((0, 0), np.float32), np.zeros((0, 0), bool), all_pairs=True) for _ in images]
    graphs: dict[int, LearnedGraph] = {}
    for positions, batch in _batches(model, images):
        if isinstance(batch, PackedGraphs):
            assert isinstance(model.generator, SPARSE_GENERATORS)
            graphs.update(zip(positions, model.generator.sparse_graphs(batch), strict=True))
            continue
        scores, kept = model.generator.scores(batch)
        for score, keep, position in zip(scores.cpu().numpy(), kept.cpu().numpy(), positions, strict=True):
            n = len(images[position].x)
            graphs[position] = _graph(score[:n, :n], keep[:n, :n], all_pairs=model.generator.dense)
    return [graphs[position] for position in range(len(images))]


def _graph(score: npt.NDArray[np.float32], kept: npt.NDArray[np.bool_], *, all_pairs: bool) -> LearnedGraph:
    chosen = ~np.eye(len(score), dtype=bool) if all_pairs else kept
    source, target = np.nonzero(chosen)
    return LearnedGraph(
        edge_index=np.stack([source, target]).astype(np.int64),
        weight=score[source, target].astype(np.float32),
        kept=kept[source, target],
    )
