from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import CohortError
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.bilevel import NOT_KEPT
from pipeline.training.fitting.cross_fitting import cross_fit, stopped_by_others
from pipeline.training.fitting.epoch_records import EpochRecord
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.steps import TrainingImages
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import TrainingParams

CPU = torch.device("cpu")
EVEN = torch.ones(2)


def task(method="default", **settings):
    quick = {"epochs": 3, "hidden": 8, "heads": 2, "pretraining_steps": 0, **settings}
    return FittingTask(method_spec(method, TrainingParams(**quick)), Seeds(0, "test"), CPU)


@pytest.fixture
def images(random_images):
    return TrainingImages(random_images([5] * 36), random_images([5] * 18, seed=1), random_images([5] * 6, seed=2))


def with_signal(images, strength):
    """The class in the mean of the first feature."""

    def moved(role):
        shift = torch.zeros(5)
        shift[0] = strength
        return [replace(image, x=image.x + shift * (2 * image.label - 1)) for image in role]

    return TrainingImages(moved(images.train), moved(images.structure), moved(images.select))


def noted(monkeypatch, n_epochs=2):
    """Trainings of graph models that do nothing but note level and images; none says anything of ``select`` images."""
    fits = []

    def note(network, told, objective, *, order_seed, unfinished, select_logits):
        if objective.spec.beside_pooled:
            fits.append((objective.spec.levels, told))
        select_logits += [torch.zeros(len(told.select), 2)] * n_epochs
        return []

    monkeypatch.setattr("pipeline.training.fitting.trainings.fit", note)
    return fits


def ids(images):
    return {id(image.x) for image in images}


def test_each_model_is_fitted_without_the_images_it_is_judged_by(images, monkeypatch):
    fits = noted(monkeypatch)
    fit = cross_fit(images, 5, EVEN, task(cross_fit=4), NOT_KEPT)
    assert [levels for levels, _ in fits] == ["bilevel", "one"] * 4
    structure, everything = ids(images.structure), ids(images.all)
    for (_, searched), (_, refitted) in zip(fits[::2], fits[1::2], strict=True):
        out = ids(searched.select)
        assert ids(searched.structure) == ids(refitted.structure) == structure - out
        assert ids(searched.train) == everything - structure - out
    assert set.union(*(ids(told.select) for _, told in fits)) == everything
    assert sum(len(told.select) for _, told in fits[::2]) == len(everything) == fit.gate.n_images


def test_each_half_of_the_patients_is_judged_where_the_other_half_stopped():
    def image(label, patient):
        return NodeImage(torch.zeros(1, 1), torch.zeros(1, 2), label, patient, torch.zeros(2))

    images = [image(0, "a"), image(1, "b"), image(0, "c")]
    right, wrong = torch.tensor([2.0, -2.0]), torch.tensor([-2.0, 2.0])
    # Patients a and c, then b: the halves are best in different epochs.
    epochs = torch.stack(
        [
            torch.stack([right, right, right]),
            torch.stack([wrong, wrong, wrong]),
            torch.stack([2 * wrong, 3 * wrong, 2 * wrong]),
        ]
    )
    told = stopped_by_others(images, epochs)
    assert told.tolist() == [(2 * wrong).tolist(), right.tolist(), (2 * wrong).tolist()]
    assert stopped_by_others(images[:1], epochs[:, :1]).tolist() == [(2 * wrong).tolist()]


def test_the_refit_goes_on_from_the_graph_that_was_found(images, monkeypatch):
    begun = []

    def note(network, told, objective, *, order_seed, unfinished, select_logits):
        select_logits.append(torch.zeros(len(told.select), 2))
        assert all(weight.requires_grad for weight in network.parameters())
        if objective.spec.beside_pooled:
            begun.append((objective.spec.levels, network.generator.project.weight.detach().clone()))
            with torch.no_grad():
                network.generator.project.weight.add_(1.0)
        return [EpochRecord(0)]

    monkeypatch.setattr("pipeline.training.fitting.trainings.fit", note)
    fit = cross_fit(images, 5, EVEN, task(), NOT_KEPT)
    stages = {(record.model, record.stage) for record in fit.history}
    assert {model for model, stage in stages if stage == "pooled"} == set(range(5))
    graphs = {(model, stage) for model in range(len(fit.network.members)) for stage in ("search", "refit")}
    assert {told for told in stages if told[1] != "pooled"} == graphs
    for (_, searched), (levels, refitted) in zip(begun[::2], begun[1::2], strict=True):
        assert levels == "one"
        torch.testing.assert_close(refitted, searched + 1.0)


def test_images_hold_what_the_pooled_path_said_of_them_unseen(images, monkeypatch):
    fits = noted(monkeypatch)
    fit = cross_fit(with_signal(images, 0.5), 5, EVEN, task(), NOT_KEPT)
    offsets = torch.stack([image.offset for image in fits[0][1].all])
    assert offsets.shape == (60, 2)
    assert offsets.std() > 0.1
    assert fit.gate.pooled_alone > 0.5


def test_a_class_that_is_pooled_is_left_to_the_pooled_path(images):
    told = with_signal(images, 1.0)
    fit = cross_fit(told, 5, EVEN, task(epochs=20), NOT_KEPT)
    assert fit.gate.judged
    assert not fit.gate.on
    with torch.no_grad():
        for _, batch in fit.network.batches(told.all, 60):
            assert torch.equal(fit.network(batch), fit.network.without_graph(batch))
            assert (fit.network(batch).argmax(dim=1) == batch.labels).float().mean() > 0.95


def test_a_graph_path_that_adds_nothing_is_refused_early(random_images):
    images = TrainingImages(*(random_images([5] * n, seed=n) for n in (120, 60, 20)))
    fit = cross_fit(with_signal(images, 2.0), 5, EVEN, task(), NOT_KEPT)
    assert not fit.gate.on
    assert fit.gate.n_models == len(fit.network.members) <= fit.gate.n_planned == 5


def test_too_few_patients_are_told(random_images):
    images = TrainingImages(random_images([5] * 2), random_images([5] * 2, seed=1), [])
    fit = cross_fit(images, 5, EVEN, task(), NOT_KEPT)
    assert (fit.gate.judged, fit.gate.on, fit.gate.n_planned) == (False, True, 1)
    train, structure = ([replace(image, patient="same") for image in role] for role in (images.train, images.structure))
    with pytest.raises(CohortError, match="patients"):
        cross_fit(TrainingImages(train, structure, []), 5, EVEN, task(), NOT_KEPT)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(images):
    fits = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        fits.append(cross_fit(images, 5, EVEN, task(), NOT_KEPT))
    states = [fit.network.state_dict() for fit in fits]
    members = [name for name in states[0] if name.startswith("members")]
    assert members
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert np.array_equal(fits[0].held_out[0], fits[1].held_out[0])


def test_networks_stand_beside_the_linear_model_each_fitted_without_a_part(images, monkeypatch):
    fits = []

    def note(network, told, objective, *, order_seed, unfinished, select_logits):
        if objective.spec.name == "cosine_graph":
            fits.append(told)
            assert all(not image.offset.any() for image in told.all)
        select_logits.append(torch.zeros(len(told.select), 2))
        return []

    monkeypatch.setattr("pipeline.training.fitting.trainings.fit", note)
    fit = cross_fit(images, 5, EVEN, task(cross_fit=4), NOT_KEPT)
    assert len(fits) == len(fit.network.pooled.networks) == fit.gate.n_pooled == 4
    assert sum(len(told.select) for told in fits) == len(images.all)
    for told in fits:
        assert not ids(told.select) & ids([*told.train, *told.structure])
