"""The learned graph is worth having where the class shows only in pairs, and finds them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pipeline.synthetic.planted import PlantedParams, plant_images
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import accuracy_of, learned_graphs
from pipeline.training.fitting.standardised_images import node_image
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import TrainingParams

CPU = torch.device("cpu")
EASY = PlantedParams(n_images=400, n_pairs=6, n_distractors=2, key_dim=4, nuisance_dim=2, key_noise=0.05, agreement=1.0)


def learn(method, params, n_test, training=TrainingParams(), seed=0):  # noqa: B008
    """Accuracy on the last ``n_test`` images, and the mean area under the ROC curve of their edges."""
    planted = plant_images(params, seed)
    nodes = {i.slide_id: SlideNodes(i.features, (i.coords / 256).astype(np.float32)) for i in planted}
    cohort = CohortNodes(nodes, tuple(f"f{c}" for c in range(params.n_features)))
    n_fit = params.n_images - n_test
    ends = [0, int(0.6 * n_fit), int(0.85 * n_fit), n_fit, params.n_images]
    roles = np.repeat(["train", "structure", "select", "test"], np.diff(ends))
    rows = pd.DataFrame({"slide_id": list(nodes), "label": [i.label for i in planted], "role": roles})
    model, _ = fit_model(cohort, rows, FittingTask(method_spec(method, training), Seeds(seed, "test"), CPU))
    images = [node_image(nodes[i.slide_id], model.scaler, int(i.label), CPU) for i in planted[n_fit:]]
    graphs = learned_graphs(model.network, images)
    areas = [edge_auroc(i, g, params.n_patches) for i, g in zip(planted[n_fit:], graphs, strict=True)]
    return accuracy_of(model.network, images), float(np.mean(areas))


def edge_auroc(image, graph, n):
    truth, score = np.zeros((n, n), bool), np.zeros((n, n))
    truth[image.pairs[0], image.pairs[1]] = truth[image.pairs[1], image.pairs[0]] = True
    score[graph.edge_index[0], graph.edge_index[1]] = graph.weight
    upper = np.triu_indices(n, 1)
    return roc_auc_score(truth[upper], score[upper])


def test_pairs_are_found_on_an_easy_cohort():
    accuracy, area = learn("default", EASY, n_test=100, training=TrainingParams(epochs=20))
    assert accuracy > 0.8
    assert area > 0.9


def test_pooling_knows_nothing_of_pairs():
    accuracy, _ = learn("mean_pool", EASY, n_test=100, training=TrainingParams(epochs=20))
    assert accuracy < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_default_solves_the_default_cohort(seed):
    accuracy, area = learn("default", PlantedParams(n_images=2000), n_test=1000, seed=seed)
    assert accuracy >= 0.98
    assert area >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("method", ["default", "joint", "mean_pool", "logistic"])
def test_without_planted_structure_no_method_beats_chance(method):
    control = PlantedParams(n_images=800, planted=False)
    accuracy, _ = learn(method, control, n_test=400, training=TrainingParams(epochs=20))
    # Four standard errors of 400 fair coins.
    assert abs(accuracy - 0.5) < 0.1
