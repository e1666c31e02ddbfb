"""All evidence in one image by a trained model: of its patches, edges and features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.evidence import INTEGRATED_GRADIENTS, OCCLUSION, Evidence, EvidenceFacts
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.fitting.inference import logits_of_path, predict_logits
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation.edge_evidence import (
    edges_by_integrated_gradients,
    edges_by_occlusion,
    is_worth_occlusion,
    silencing,
    without_edges,
)
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.feature_evidence import Asked, feature_evidence, of_named_features
from pipeline.training.interpretation.log_odds import log_odds
from pipeline.training.interpretation.node_evidence import node_evidence, occlusion_groups


def image_evidence(model: TrainedModel, image: NodeImage, graph: LearnedGraph, params: ExplainParams) -> Evidence:
    """Evidence in one image, of the whole model: the sum of what its paths say.

    Parameters
    ----------
    graph
        What ``graphs.zarr`` holds of it.
    params
        How much it may cost.
    """
    said = says(model, [image])[0]
    predicted = int(said.argmax())
    groups = occlusion_groups(image.coords.cpu().numpy(), params.patches_read)
    node = node_evidence(image, groups, lambda images: says(model, images))
    feature, gap = feature_evidence(Asked(model.network, predicted, model.temperature), image, params.path_steps)
    edges = _edges(model, image, graph, predicted, params.path_steps)
    facts = EvidenceFacts(
        predicted=model.class_names[predicted],
        log_odds=float(said[predicted]),
        without_edges=edges.log_odds_without,
        graph_share=graph_share(model, image, groups, node[:, predicted], predicted),
        edge_method=edges.method,
        edge_reason=edges.reason,
        patches_together=int(np.bincount(groups).max()),
        feature_gap=gap,
    )
    return Evidence(node, edges.evidence, of_named_features(feature, model.scaler.indicator), facts)


def says(model: TrainedModel, images: Sequence[NodeImage]) -> Tensor:
    """Log-odds (n_images, n_classes) by the whole model, on the CPU."""
    return log_odds(predict_logits(model.network, images), model.temperature)


def graph_share(model: TrainedModel, image: NodeImage, groups: Int64s, node: Float32s, predicted: int) -> float | None:
    """Share of the graph path in what patches say for a class, 0 to 1; None without a pooled path beside it.

    What a patch says through the graph path is what it says in all, less what it says by
    the pooled path alone; signs do not count.
    """
    network = model.network
    if not isinstance(network, PooledAndGraph):
        return None
    if not network.graph_kept:
        return 0.0

    def pooled_says(images: Sequence[NodeImage]) -> Tensor:
        return log_odds(logits_of_path(network, network.pooled_path, images), model.temperature)

    by_pooled = node_evidence(image, groups, pooled_says)[:, predicted]
    by_graph = np.abs(node - by_pooled).sum()
    together = by_graph + np.abs(by_pooled).sum()
    return float(by_graph / together) if together else 0.0


@dataclass(frozen=True)
class _Edges:
    """Evidence of edges (E,), and what is told of it, see ``EvidenceFacts``."""

    evidence: Float32s
    method: str
    reason: str | None
    log_odds_without: float | None


def _edges(model: TrainedModel, image: NodeImage, graph: LearnedGraph, predicted: int, steps: int) -> _Edges:
    silenced = silencing(model.network, image, model.temperature)
    if isinstance(silenced, str):
        return _Edges(np.zeros(len(graph.weight), np.float32), "", silenced, None)
    unheard = float(without_edges(silenced)[predicted])
    if is_worth_occlusion(silenced, int(graph.kept.sum()) // 2):
        return _Edges(edges_by_occlusion(silenced, graph, predicted), OCCLUSION, None, unheard)
    shares = edges_by_integrated_gradients(silenced, graph, predicted, steps)
    return _Edges(shares, INTEGRATED_GRADIENTS, None, unheard)
