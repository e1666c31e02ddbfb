import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.artefacts.learned_graphs import read_learned_graph
from pipeline.artefacts.predictions import read_predictions
from pipeline.errors import CohortError
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import learned_graphs, predict_logits
from pipeline.training.fitting.tested_images import write_tested_images
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import TrainingParams

CPU = torch.device("cpu")
PARAMS = TrainingParams(epochs=1, hidden=8, heads=2, pretraining_steps=5, temperature_scaling=True)
TASK = FittingTask(method_spec("default", PARAMS), Seeds(0, "fold 0"), CPU, PARAMS.fitting)


@pytest.fixture(scope="module")
def trained(cohort):
    nodes, rows = cohort
    return nodes, rows[rows["role"] == "test"], fit_model(nodes, rows, TASK)[0]


def test_each_image_has_its_probabilities_and_its_graph(trained, tmp_path):
    """By softmax of the logits over the fitted temperature, one image at a time."""
    nodes, test, model = trained
    write_tested_images(tmp_path, model, nodes, test, TASK, {"format_version": 1})
    table = read_predictions(tmp_path / "predictions.csv")
    for column in ("slide_id", "case_id", "label"):
        assert table[column].tolist() == test[column].tolist()
    assert model.temperature != 1
    for row in table.itertuples():
        images = model.images([nodes.slides[row.slide_id]], CPU)
        expected = (predict_logits(model.network, images)[0].double() / model.temperature).softmax(dim=0)
        np.testing.assert_allclose([row.p_0, row.p_1], expected, atol=1e-6)
        (graph,) = learned_graphs(model.network, images)
        stored = read_learned_graph(tmp_path / "graphs.zarr", row.slide_id)
        np.testing.assert_array_equal(stored.edge_index, graph.edge_index)
        np.testing.assert_allclose(stored.weight, graph.weight, atol=1e-6)


def test_a_class_of_the_test_fold_alone_and_an_image_without_patch_are_errors(trained, tmp_path):
    nodes, test, model = trained
    with pytest.raises(CohortError, match="class 'x' is only in the test fold; the model knows 0, 1"):
        write_tested_images(tmp_path, model, nodes, test.assign(label="x"), TASK, {})
    first = test["slide_id"].iloc[0]
    empty = SlideNodes(np.zeros((0, 9), np.float32), np.zeros((0, 2), np.float32), "no tissue")
    bare = CohortNodes({**nodes.slides, first: empty}, nodes.feature_names)
    with pytest.raises(CohortError, match=f"slide {first}: it has no patch"):
        write_tested_images(tmp_path, model, bare, pd.DataFrame(test), TASK, {})
    assert not list(tmp_path.iterdir())
