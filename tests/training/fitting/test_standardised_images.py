import logging

import numpy as np
import pytest
import torch

from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting import standardised_images as module
from pipeline.training.fitting.fitting import fit_model, scaler_of
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import predict_logits
from pipeline.training.fitting.standardised_images import Labelled, resides, standardised_images
from pipeline.training.graphs.lazy_images import LazyImage
from pipeline.training.graphs.resident_images import ResidentImage
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import TrainingParams

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
QUICK = TrainingParams(epochs=2, hidden=8, heads=2, pretraining_steps=5, batch_size=5)
SPARSE = TrainingParams(epochs=2, hidden=8, heads=2, pretraining_steps=5, batch_size=5, dense_limit=4)
DRAWN = TrainingParams(epochs=2, hidden=8, heads=2, pretraining_steps=5, batch_size=5, patches_per_epoch=6)
CASES = {method: (method, QUICK) for method in METHODS} | {
    "default, candidates": ("default", SPARSE),
    "joint, drawn patches": ("joint", DRAWN),
}


@pytest.fixture
def labelled(cohort):
    nodes, _ = cohort
    return [Labelled(slide, place % 2, f"p{place}") for place, slide in enumerate(nodes.slides.values())]


@pytest.fixture
def scaler(cohort):
    return scaler_of(*cohort, METHODS["default"])


def trained(cohort, method, params):
    nodes, rows = cohort
    task = FittingTask(method_spec(method, params), Seeds(0, "fold 0"), CPU, params.fitting)
    model, history = fit_model(nodes, rows, task)
    test = [nodes.slides[slide_id] for slide_id in rows.loc[rows["role"] == "test", "slide_id"]]
    return model, history, predict_logits(model.network, model.images(test, CPU))


@pytest.mark.parametrize("case", CASES)
def test_where_images_lie_changes_no_bit(case, cohort, monkeypatch):
    runs = []
    for on_device in (True, False):
        monkeypatch.setattr(module, "resides", lambda *given, on_device=on_device: on_device)
        runs.append(trained(cohort, *CASES[case]))
    (model, history, logits), (other, other_history, other_logits) = runs
    assert history.equals(other_history)
    assert torch.equal(logits, other_logits)
    weights, others = model.network.state_dict(), other.network.state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_images_in_memory_lie_on_a_processor_one_after_the_other(labelled, scaler):
    images = standardised_images(labelled, scaler, CPU)
    assert all(isinstance(image, ResidentImage) for image in images)
    assert [(image.label, image.patient) for image in images] == [(one.label, one.patient) for one in labelled]
    for image, one in zip(images, labelled, strict=True):
        assert np.array_equal(image.x.numpy(), scaler.apply(one.nodes.x))
        assert np.array_equal(image.coords.numpy(), one.nodes.coords)


def test_images_lie_on_a_card_up_to_their_share_of_what_is_free(labelled, scaler, monkeypatch, caplog):
    needed = 4 * (scaler.n_outputs + 2) * (sum(len(one.nodes.coords) for one in labelled) + 1)
    monkeypatch.setattr(module, "free_memory", lambda device: 4 * needed)
    with caplog.at_level(logging.INFO, "abignet"):
        assert resides(labelled, scaler, CUDA, 0.25)
        assert not resides(labelled, scaler, CUDA, 0.24)
        assert not resides(labelled, scaler, CUDA, 0.0)
    found = ["lie on the card" in message for message in caplog.messages]
    assert found == ["are copied to the card" not in message for message in caplog.messages] == [True, False, False]


def test_images_that_do_not_fit_are_fetched_at_every_use(labelled, scaler):
    images = [*module._each(labelled, scaler, torch.device("meta"))]
    assert all(isinstance(image, LazyImage) for image in images)
    assert [image.label for image in images] == [one.label for one in labelled]
    # Positions, by which batches are planned, are there; features come when they are asked for.
    assert {image.coords.device.type for image in images} == {image.x.device.type for image in images} == {"meta"}
