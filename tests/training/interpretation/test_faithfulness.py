from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.artefacts.evidence import Evidence, EvidenceFacts
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.classifiers.pooled_path import PooledPath
from pipeline.training.cohort.node_scaler import NodeScaler
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.faithfulness import FRACTIONS, Explained, edge_curves, patch_curves
from pipeline.training.interpretation.image_evidence import image_evidence
from tests.training.fitting.small_models import small

FACTS = EvidenceFacts("b", 0.0, None, None, "", None, 1, 0.0)


def model_of(network, spec):
    flat = np.zeros(5)
    scaler = NodeScaler(flat, flat, flat + 1, flat.astype(bool), 0.0)
    return TrainedModel(network.eval(), scaler, spec, tuple("vwxyz"), ("a", "b"))


def explained(image, *, graph_kept=1.0):
    """A model in which the mean of the first feature speaks for class b, and perhaps a graph path."""
    spec, member = small("default", target_degree=2)
    network = PooledAndGraph(PooledPath([], 5, 2), [member])
    with torch.no_grad():
        network.graph_kept.fill_(graph_kept)
        network.pooled.linear.weight.zero_()
        network.pooled.linear.bias.zero_()
        network.pooled.linear.weight[1, 0] = 4.0
    model = model_of(network, spec)
    (_, batch), *_ = network.batches([image], 1)
    graph = network.learned_graphs(batch)[0]
    return Explained(model, image, graph, image_evidence(model, image, graph, ExplainParams(path_steps=2)))


def mean_of(curves, direction, order):
    return float(np.trapezoid(curves[direction][order], FRACTIONS))


def test_true_evidence_goes_sooner_and_comes_sooner_than_chance(random_images):
    (image,) = random_images([20])
    curves = patch_curves(explained(image, graph_kept=0.0), np.random.default_rng(0))
    assert mean_of(curves, "deletion", "evidence") < mean_of(curves, "deletion", "random") - 0.1
    assert mean_of(curves, "insertion", "evidence") > mean_of(curves, "insertion", "random") + 0.1


def test_evidence_turned_round_is_worse_than_chance(random_images):
    (image,) = random_images([20])
    right = explained(image, graph_kept=0.0)
    wrong = replace(right, evidence=replace(right.evidence, node=-right.evidence.node))
    curves = patch_curves(wrong, np.random.default_rng(0))
    assert mean_of(curves, "deletion", "evidence") > mean_of(curves, "deletion", "random") + 0.1


def test_edges_by_evidence_move_the_prediction_sooner_than_by_chance(random_images):
    (image,) = random_images([12])
    curves = edge_curves(explained(image), np.random.default_rng(0))
    assert mean_of(curves, "deletion", "evidence") <= mean_of(curves, "deletion", "random")
    ends = [curves["deletion"][order] for order in ("evidence", "weight", "random")]
    assert len({round(curve[0], 6) for curve in ends}) == len({round(curve[-1], 6) for curve in ends}) == 1


def test_where_no_edge_can_be_silenced_there_is_no_curve(random_images):
    (image,) = random_images([6])
    assert edge_curves(explained(image, graph_kept=0.0), np.random.default_rng(0)) is None


def test_the_predicted_class_is_followed(random_images):
    (image,) = random_images([4])
    one = explained(image, graph_kept=0.0)
    other = replace(one, evidence=Evidence(*(getattr(one.evidence, n) for n in ("node", "edge", "feature")), FACTS))
    first = patch_curves(other, np.random.default_rng(0))["deletion"]["evidence"][0]
    mean = float(image.x[:, 0].mean())
    assert first == pytest.approx(1 / (1 + np.exp(-4 * mean)), abs=1e-5)
