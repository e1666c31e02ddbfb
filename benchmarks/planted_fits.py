"""Planted cohorts, fitted as ``abignet train`` fits, and what was learned of them; for the benchmarks beside."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from device_clock import now
from sklearn.metrics import roc_auc_score

from pipeline.synthetic.planting.planted_image import PlantedImage
from pipeline.training.classifiers.image_classifier import ImageClassifier, build_model
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import ImageNetwork, accuracy_of, learned_graphs
from pipeline.training.fitting.standardised_images import node_image
from pipeline.training.fitting.unfinished import State, UnfinishedFit
from pipeline.training.graphs.generator import NoGraph
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.methods.presets import MethodSpec
from pipeline.training.params import DEFAULT_FITTING, FittingParams

CPU = torch.device("cpu")
PATCH_L0 = 256.0
SHARES = {"train": 0.60, "structure": 0.25}
"""Of the labelled images; the rest has the role select."""

GRAPHS_SCORED = 200


@dataclass(frozen=True)
class PlantedFit:
    """One training: accuracy on test images, edge AUROC after pre-training and at the end, epochs, seconds."""

    accuracy: float
    edges_pretrained: float | None
    edges: float | None
    epochs: int
    seconds: float


class StartOfFit(UnfinishedFit):
    """Keeps the weights with which the first epoch starts."""

    def __init__(self) -> None:
        super().__init__(None, {})
        self.weights: dict[str, torch.Tensor] = {}

    def offer(self, state: Callable[[], State]) -> None:
        """Take the weights, but no later ones."""
        content = state()
        self.weights = self.weights or copy.deepcopy(content.get("training", content)["model"])


def learned(
    spec: MethodSpec,
    planted: Sequence[PlantedImage],
    n_labelled: int,
    seed: int,
    fitting: FittingParams = DEFAULT_FITTING,
    device: torch.device = CPU,
) -> PlantedFit:
    """Train on the first ``n_labelled`` images and test on the others."""
    nodes = {i.slide_id: SlideNodes(i.features, (i.coords / PATCH_L0).astype(np.float32)) for i in planted}
    cohort = CohortNodes(nodes, tuple(f"f{column}" for column in range(planted[0].features.shape[1])))
    start, started = StartOfFit(), now(device)
    task = FittingTask(spec, Seeds(seed, "benchmark"), device, fitting)
    model, history = fit_model(cohort, rows_of(planted, n_labelled), task, start)
    seconds = now(device) - started
    test = planted[n_labelled:]
    images = [node_image(nodes[image.slide_id], model.scaler, int(image.label), device) for image in test]
    before = pretrained(model, start.weights)
    return PlantedFit(
        accuracy=accuracy_of(model.network, images),
        edges_pretrained=None if before is None else edge_auroc(before.to(device), test, images),
        edges=edge_auroc(model.network, test, images),
        epochs=len(history),
        seconds=seconds,
    )


def rows_of(planted: Sequence[PlantedImage], n_labelled: int) -> pd.DataFrame:
    """Slides with labels and roles, in the order of ``planted``."""
    cuts = [round(share * n_labelled) for share in np.cumsum([*SHARES.values()])]
    ends = [0, *cuts, n_labelled, len(planted)]
    roles = np.repeat([*SHARES, "select", "test"], np.diff(ends))
    return pd.DataFrame({"slide_id": [i.slide_id for i in planted], "label": [i.label for i in planted], "role": roles})


def pretrained(model: TrainedModel, weights: dict[str, torch.Tensor]) -> ImageClassifier | None:
    """The network as pre-training left it; None where nothing was pre-trained."""
    if "generator.gain" not in weights or float(weights["generator.gain"]) == 1:
        return None
    network = build_model(model.spec, model.scaler.n_outputs, len(model.class_names))
    network.load_state_dict(weights)
    return network


def edge_auroc(network: ImageNetwork, planted: Sequence[PlantedImage], images: Sequence[NodeImage]) -> float | None:
    """Area under the ROC curve of graphs' weights against planted pairs, mean over images; None without a graph."""
    if isinstance(network, ImageClassifier) and isinstance(network.generator, NoGraph):
        return None
    areas = []
    for image, graph in zip(planted, learned_graphs(network, images[:GRAPHS_SCORED]), strict=False):
        n_patches = len(image.features)
        truth, weight = np.zeros((2, n_patches, n_patches))
        truth[image.pairs[0], image.pairs[1]] = 1
        weight[graph.edge_index[0], graph.edge_index[1]] = graph.weight
        upper = np.triu_indices(n_patches, 1)
        areas.append(roc_auc_score((truth + truth.T)[upper], weight[upper]))
    return float(np.mean(areas))
