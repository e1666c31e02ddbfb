"""What a trained network says: probabilities, losses, and the graphs it used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.batches import NodeImage, batches
from pipeline.training.model import ImageClassifier

EVALUATION_BATCH = 64
"""Images a batch at evaluation; has no influence on results beyond rounding."""


@dataclass(frozen=True)
class Evaluation:
    """Loss (mean cross-entropy, unweighted) and accuracy over some images."""

    loss: float
    accuracy: float


@torch.no_grad()
def predict_logits(model: ImageClassifier, images: Sequence[NodeImage]) -> Tensor:
    """Logits (n_images, n_classes) in evaluation mode, on the CPU."""
    model.eval()
    return torch.cat([model(batch).cpu() for _, batch in batches(images, EVALUATION_BATCH)])


def predict_probabilities(
    model: ImageClassifier, images: Sequence[NodeImage], *, n_classes: int
) -> npt.NDArray[np.float64]:
    """Class probabilities, float64 (n_images, n_classes); there may be no image."""
    if not images:
        return np.zeros((0, n_classes))
    probabilities: npt.NDArray[np.float64] = predict_logits(model, images).double().softmax(dim=-1).numpy()
    return probabilities


def evaluate_images(model: ImageClassifier, images: Sequence[NodeImage]) -> Evaluation:
    """Loss and accuracy over labelled ``images`` in evaluation mode."""
    logits = predict_logits(model, images)
    labels = torch.tensor([image.label for image in images])
    correct = (logits.argmax(dim=-1) == labels).double().mean()
    return Evaluation(float(cross_entropy(logits, labels)), float(correct))


@torch.no_grad()
def learned_graphs(model: ImageClassifier, images: Sequence[NodeImage]) -> list[LearnedGraph]:
    """Noise-free patch graph of each image; fixed graphs hold their edges only, no graph none."""
    model.eval()
    if model.generator is None:
        return [_graph(np.zeros((0, 0), np.float32), np.zeros((0, 0), bool), all_pairs=True) for _ in images]
    graphs = []
    for positions, batch in batches(images, EVALUATION_BATCH):
        scores, kept = model.generator.scores(batch)
        for score, keep, position in zip(scores.cpu().numpy(), kept.cpu().numpy(), positions, strict=True):
            n = len(images[position].x)
            graphs.append(_graph(score[:n, :n], keep[:n, :n], all_pairs=model.generator.dense))
    return graphs


def _graph(score: npt.NDArray[np.float32], kept: npt.NDArray[np.bool_], *, all_pairs: bool) -> LearnedGraph:
    chosen = ~np.eye(len(score), dtype=bool) if all_pairs else kept
    source, target = np.nonzero(chosen)
    return LearnedGraph(
        edge_index=np.stack([source, target]).astype(np.int64),
        weight=score[source, target].astype(np.float32),
        kept=kept[source, target],
    )
