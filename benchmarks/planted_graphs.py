"""Whether a method finds the class where only pairs of patches carry it, and finds the pairs.

Prints a row per variant of the cohort, method, number of labelled images and seed: accuracy
on test images; area under the ROC curve of the graph's weights against the planted pairs
after pre-training and at the end (mean over 200 test images; empty for methods without a
graph); what pre-training gained (nats); epochs and seconds.  Labelled images are parted
60 / 25 / 15 into the roles train, structure and select.  ``--set`` replaces numbers of the
methods, ``--offset`` adds to all patches of an image one shift of that SD in three
directions, as a stain would.

    python benchmarks/planted_graphs.py --variants standard --methods default joint --images 250 500 --seeds 0 1 2 3 4
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import yaml
from sklearn.metrics import roc_auc_score

from pipeline.synthetic.planted import VARIANTS, PlantedImage, plant_images
from pipeline.training.batches import NodeImage
from pipeline.training.bilevel import fit
from pipeline.training.determinism import deterministic_torch
from pipeline.training.inference import evaluate_images, learned_graphs
from pipeline.training.model import ImageClassifier, build_model
from pipeline.training.params import TrainingParams
from pipeline.training.presets import METHODS, MethodSpec, method_spec
from pipeline.training.pretraining import pretrain
from pipeline.training.steps import TrainingImages

TRAIN_SHARE, STRUCTURE_SHARE = 0.60, 0.25
GRAPHS_SCORED = 200
PATCH_L0 = 256.0
OFFSET_DIRECTIONS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=["standard"], choices=list(VARIANTS))
    parser.add_argument("--methods", nargs="+", default=["default", "mean_pool"], choices=sorted(METHODS))
    parser.add_argument("--images", nargs="+", type=int, default=[500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--test-images", type=int, default=1000)
    parser.add_argument("--offset", type=float, default=0.0)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="numbers of the config's training:")
    options = parser.parse_args()
    params = TrainingParams(**{key: yaml.safe_load(value) for key, value in (item.split("=") for item in options.set)})
    print("variant,method,images,seed,accuracy,edge_auroc_pretrained,edge_auroc,contrast,epochs,seconds")
    for variant in options.variants:
        for n_images in options.images:
            for seed in options.seeds:
                cohort = replace(VARIANTS[variant], n_images=n_images + options.test_images)
                planted = shifted(plant_images(cohort, seed), options.offset, seed)
                for method in options.methods:
                    found = row(method_spec(method, params), planted, n_images, seed)
                    print(f"{variant},{method},{n_images},{seed},{found}", flush=True)


def row(spec: MethodSpec, planted: Sequence[PlantedImage], n_images: int, seed: int) -> str:
    started = time.perf_counter()
    cut, end = round(TRAIN_SHARE * n_images), round((TRAIN_SHARE + STRUCTURE_SHARE) * n_images)
    nodes = standardised(planted, n_scaler=cut)
    test, test_nodes = planted[n_images:], nodes[n_images:]
    with deterministic_torch(seed, threads=1, device=torch.device("cpu")):
        model = build_model(spec, planted[0].features.shape[1], 2)
        roles = TrainingImages(nodes[:cut], nodes[cut:end], nodes[end:n_images])
        contrast = pretrain(model.generator, roles.train, roles.structure, spec.settings, order_seed=seed)
        pretrained = "" if math.isnan(contrast) else edge_auroc(model, test, test_nodes)
        history = fit(model, roles, spec, torch.ones(2), order_seed=seed)
        accuracy = evaluate_images(model, test_nodes).accuracy
        auroc = edge_auroc(model, test, test_nodes)
    seconds = time.perf_counter() - started
    return f"{accuracy:.4f},{pretrained},{auroc},{contrast:.3f},{len(history)},{seconds:.0f}"


def shifted(planted: Sequence[PlantedImage], offset: float, seed: int) -> list[PlantedImage]:
    """Images with a shift of their own, the same for all their patches, in the first directions."""
    rng = np.random.default_rng(seed)
    shifts = np.zeros((len(planted), planted[0].features.shape[1]), np.float32)
    shifts[:, :OFFSET_DIRECTIONS] = offset * rng.normal(size=(len(planted), OFFSET_DIRECTIONS))
    return [replace(image, features=image.features + shift) for image, shift in zip(planted, shifts, strict=True)]


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
