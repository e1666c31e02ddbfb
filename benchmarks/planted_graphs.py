"""Whether a method finds the class where only pairs of patches carry it, and finds the pairs.

Prints a row per method, number of labelled images and seed: accuracy on test images, area
under the ROC curve of the graph's weights against the planted pairs (mean over 200 test
images; empty for methods without a graph), epochs and seconds.  Labelled images are parted
60 / 25 / 15 into the roles train, structure and select; all settings are the methods' own.

    python benchmarks/planted_graphs.py --methods default joint cosine_graph mean_pool --images 350 500 1000 --seeds 0 1
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from pipeline.synthetic.planted import PlantedImage, PlantedParams, plant_images
from pipeline.training.batches import NodeImage
from pipeline.training.bilevel import TrainingImages, fit
from pipeline.training.determinism import deterministic_torch
from pipeline.training.inference import evaluate_images, learned_graphs
from pipeline.training.model import ImageClassifier, build_model
from pipeline.training.params import TrainingParams
from pipeline.training.presets import METHODS, method_spec

TRAIN_SHARE, STRUCTURE_SHARE = 0.60, 0.25
GRAPHS_SCORED = 200
PATCH_L0 = 256.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["default", "mean_pool"], choices=sorted(METHODS))
    parser.add_argument("--images", nargs="+", type=int, default=[500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--test-images", type=int, default=1000)
    options = parser.parse_args()
    print("method,images,seed,accuracy,edge_auroc,epochs,seconds")
    for n_images in options.images:
        for seed in options.seeds:
            planted = plant_images(replace(PlantedParams(), n_images=n_images + options.test_images), seed)
            for method in options.methods:
                print(row(method, planted, n_images, seed), flush=True)


def row(method: str, planted: Sequence[PlantedImage], n_images: int, seed: int) -> str:
    started = time.perf_counter()
    cut, end = round(TRAIN_SHARE * n_images), round((TRAIN_SHARE + STRUCTURE_SHARE) * n_images)
    nodes = standardised(planted, n_scaler=cut)
    spec = method_spec(method, TrainingParams())
    with deterministic_torch(seed, threads=1, device=torch.device("cpu")):
        model = build_model(spec, planted[0].features.shape[1], 2)
        roles = TrainingImages(nodes[:cut], nodes[cut:end], nodes[end:n_images])
        history = fit(model, roles, spec, torch.ones(2), order_seed=seed)
        accuracy = evaluate_images(model, nodes[n_images:]).accuracy
        auroc = edge_auroc(model, planted[n_images:], nodes[n_images:])
    seconds = time.perf_counter() - started
    return f"{method},{n_images},{seed},{accuracy:.4f},{auroc},{len(history)},{seconds:.0f}"


def standardised(planted: Sequence[PlantedImage], n_scaler: int) -> list[NodeImage]:
    """Nodes of all images, scaled by the first ``n_scaler`` alone."""
    pooled = np.concatenate([image.features for image in planted[:n_scaler]])
    mean, sd = pooled.mean(axis=0), pooled.std(axis=0)
    return [
        NodeImage(
            torch.from_numpy((image.features - mean) / sd),
            torch.from_numpy(image.coords.astype(np.float32) / PATCH_L0),
            int(image.label),
        )
        for image in planted
    ]


def edge_auroc(model: ImageClassifier, planted: Sequence[PlantedImage], nodes: Sequence[NodeImage]) -> str:
    if model.generator is None:
        return ""
    areas = []
    for image, graph in zip(planted, learned_graphs(model, nodes[:GRAPHS_SCORED]), strict=False):
        n_patches = len(image.features)
        truth, weight = np.zeros((2, n_patches, n_patches))
        truth[image.pairs[0], image.pairs[1]] = 1
        weight[graph.edge_index[0], graph.edge_index[1]] = graph.weight
        upper = np.triu_indices(n_patches, 1)
        areas.append(roc_auc_score((truth + truth.T)[upper], weight[upper]))
    return f"{np.mean(areas):.4f}"


if __name__ == "__main__":
    main()
