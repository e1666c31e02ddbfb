"""Whether a method that sees candidate edges only learns what one that sees all pairs does.

Prints a row per number of candidates (0 similar: all pairs): accuracy on test images, area
under the ROC curve of the weights against the planted pairs (0 beyond the candidates; mean
over 200 test images), epochs and seconds, on the planted cohort of 16 pairs and 8
distractors.  Candidates are searched by ``SparseMetric`` and their weights handed to the
loop as padded matrices, so that nothing else differs.

    python benchmarks/sparse_learning.py --similar 0 8 16 --images 1000 --seeds 0
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from pipeline.synthetic.planted import PlantedImage, PlantedParams, plant_images
from pipeline.training.batches import GraphBatch, NodeImage, pack
from pipeline.training.bilevel import fit
from pipeline.training.determinism import deterministic_torch
from pipeline.training.inference import evaluate_images
from pipeline.training.model import ImageClassifier, build_model
from pipeline.training.presets import METHODS
from pipeline.training.pretraining import pretrain
from pipeline.training.sparse_batches import pack_nodes
from pipeline.training.sparse_generators import CandidateParams, SparseMetric
from pipeline.training.steps import TrainingImages

SHARES = (0.60, 0.85)
GRAPHS_SCORED = 200
PATCH_L0 = 256.0


class OnCandidates(SparseMetric):
    """Weights of candidate edges in padded matrices."""

    def forward(self, batch: GraphBatch) -> Tensor:
        """Adjacency weights (B, H, N, N)."""
        images = [NodeImage(x[m], c[m], 0) for x, c, m in zip(batch.x, batch.coords, batch.mask, strict=True)]
        graphs = pack_nodes(images)
        adjacency = self.sparse_weights(graphs)
        n_heads, n_nodes, _ = adjacency.weights.shape
        whole = adjacency.weights.new_zeros(n_heads, n_nodes, batch.mask.shape[1])
        first = torch.arange(n_nodes) - batch.mask.nonzero()[:, 1]
        place = adjacency.candidates.neighbour.long() - first.unsqueeze(1)
        whole = whole.scatter_add(2, place, adjacency.weights)
        padded = whole.new_zeros(n_heads, *batch.mask.shape, batch.mask.shape[1])
        return padded.index_put((torch.arange(n_heads)[:, None], *batch.mask.nonzero().T), whole).transpose(0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--similar", nargs="+", type=int, default=[0, 8, 16])
    parser.add_argument("--spatial", type=int, default=0)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--test-images", type=int, default=1000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=METHODS["default"].settings.epochs)
    parser.add_argument("--pretraining-steps", type=int, default=METHODS["default"].settings.pretraining_steps)
    options = parser.parse_args()
    print("similar,spatial,images,seed,accuracy,edge_auroc,epochs,seconds")
    for seed in options.seeds:
        planted = plant_images(PlantedParams(n_images=options.images + options.test_images), seed)
        for similar in options.similar:
            print(row(similar, planted, seed, options), flush=True)


def row(similar: int, planted: list[PlantedImage], seed: int, options: argparse.Namespace) -> str:
    started = time.process_time()
    n_images = options.images
    cut, end = (round(share * n_images) for share in SHARES)
    nodes = standardised(planted, cut)
    default = METHODS["default"]
    settings = replace(default.settings, epochs=options.epochs, pretraining_steps=options.pretraining_steps)
    spec = replace(default, settings=settings)
    with deterministic_torch(seed, threads=1, device=torch.device("cpu")):
        model = build_model(spec, planted[0].features.shape[1], 2)
        if similar:
            model.generator = on_candidates(model, CandidateParams(similar, options.spatial))
        pretrain(model.generator, nodes[:cut], nodes[cut:end], settings, order_seed=seed)
        roles = TrainingImages(nodes[:cut], nodes[cut:end], nodes[end:n_images])
        history = fit(model, roles, spec, torch.ones(2), order_seed=seed)
        accuracy = evaluate_images(model, nodes[n_images:]).accuracy
        area = edge_auroc(model, planted[n_images:], nodes[n_images:])
    seconds = time.process_time() - started
    return f"{similar},{options.spatial},{n_images},{seed},{accuracy:.4f},{area:.4f},{len(history)},{seconds:.0f}"


def on_candidates(model: ImageClassifier, params: CandidateParams) -> OnCandidates:
    settings, dense = METHODS["default"].settings, model.generator
    sparse = OnCandidates(
        dense.project.in_features,
        heads=settings.heads,
        projection=settings.projection,
        temperature=settings.temperature,
        candidates=params,
    )
    sparse.load_state_dict(dense.state_dict())
    return sparse


def standardised(planted: list[PlantedImage], n_scaler: int) -> list[NodeImage]:
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


@torch.no_grad()
def edge_auroc(model: ImageClassifier, planted: list[PlantedImage], nodes: list[NodeImage]) -> float:
    areas = []
    for image, node in zip(planted[:GRAPHS_SCORED], nodes, strict=False):
        n_patches = len(image.features)
        truth, weight = np.zeros((2, n_patches, n_patches))
        truth[image.pairs[0], image.pairs[1]] = 1
        weight[:] = weights_of(model, node)
        upper = np.triu_indices(n_patches, 1)
        areas.append(roc_auc_score((truth + truth.T)[upper], (weight + weight.T)[upper]))
    return float(np.mean(areas))


def weights_of(model: ImageClassifier, node: NodeImage) -> np.ndarray:
    return model.generator(pack([node]))[0].mean(dim=0).numpy()


if __name__ == "__main__":
    main()
