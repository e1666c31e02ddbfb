import logging
from dataclasses import replace

import pytest
import torch

from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting import bilevel, captured_steps
from pipeline.training.fitting.bilevel import fit
from pipeline.training.fitting.captured_steps import WARM_UP_STEPS, recorder_for, say_if_not_recorded, why_not
from pipeline.training.fitting.steps import Objective, TrainingImages, make_optimisers
from pipeline.training.graphs.resident_images import size_class, store_images
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import FittingParams
from tests.training.fitting.small_models import EVEN, small
from tests.training.replayed_kernels import FailingRecorder, ReplayedKernels

CPU, CARD = torch.device("cpu"), torch.device("cuda")
CAPTURED = FittingParams(cuda_graphs=True)
METHODS_CAPTURED = ["default", "joint", "mean_pool", "attention_mil"]


def resident(images, sizes):
    everything = images(sizes)
    stored = store_images([image.but(offset=torch.zeros(2)) for image in everything], sum(sizes), CPU)
    return TrainingImages(stored[:10], stored[10:16], stored[16:])


@pytest.fixture
def of_one_class(random_images):
    """Images of 5 to 8 nodes, one of 8 in nearly every batch."""
    return resident(random_images, [8, 5, 8, 7, 8] * 4)


def trained(images, method, recorder, monkeypatch, **numbers):
    monkeypatch.setattr(bilevel, "recorder_for", lambda *given: recorder)
    # Optimisers of a processor are not capturable, and need not be.
    monkeypatch.setattr(bilevel, "make_optimisers", lambda model, spec, *, capturable: make_optimisers(model, spec))
    spec, model = small(method, **{"epochs": 6, "pretraining_steps": 10, "patience": 0, "target_degree": 3} | numbers)
    torch.manual_seed(1)
    history = fit(model, images, Objective(spec, EVEN, CAPTURED), order_seed=0)
    return history, model.state_dict()


def assert_same(one, other):
    assert one[0] == other[0] or str(one[0]) == str(other[0])
    assert all(torch.equal(one[1][name], other[1][name]) for name in one[1])


@pytest.mark.parametrize("method", METHODS_CAPTURED)
def test_recorded_steps_train_as_steps_taken_kernel_by_kernel(method, random_images, monkeypatch):
    images, recorder = resident(random_images, [8] * 20), ReplayedKernels()
    plain = trained(images, method, None, monkeypatch)
    assert_same(trained(images, method, recorder, monkeypatch), plain)
    assert recorder.records >= 1
    assert recorder.launches > recorder.records
    assert recorder.warm_ups == WARM_UP_STEPS * recorder.records


def test_a_step_finds_its_images_whatever_their_sizes(of_one_class, monkeypatch):
    recorder = ReplayedKernels()
    recorded = trained(of_one_class, "joint", recorder, monkeypatch, dropout=0.0)
    plain = trained(of_one_class, "joint", None, monkeypatch, dropout=0.0)
    # All batches have one size class, whose padding changes sums by rounding alone.
    assert recorder.records == 1
    losses = [[row.lower_loss for row in history] for history, _ in (recorded, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][0] != losses[0][-1]


@pytest.mark.parametrize("method", ["default", "joint"])
def test_where_recording_fails_training_goes_on_and_the_log_says_why_once(method, random_images, monkeypatch, caplog):
    images, recorder = resident(random_images, [8] * 20), FailingRecorder()
    plain = trained(images, method, None, monkeypatch)
    with caplog.at_level(logging.WARNING, "abignet"):
        assert_same(trained(images, method, recorder, monkeypatch), plain)
    assert recorder.records == 1
    (told,) = [record.getMessage() for record in caplog.records if "cuda_graphs" in record.getMessage()]
    assert "operation not permitted" in told


def test_few_shapes_are_recorded_and_packed_images_none(random_images, monkeypatch, caplog):
    monkeypatch.setattr(captured_steps, "MOST_SHAPES", 1)
    images, recorder = resident(random_images, [8, 30] * 10), ReplayedKernels()
    with caplog.at_level(logging.WARNING, "abignet"):
        trained(images, "joint", recorder, monkeypatch, dense_limit=20)
        trained(images, "mean_pool", recorder, monkeypatch, batch_size=3)
    assert recorder.records <= 2
    told = [record.getMessage() for record in caplog.records if "cuda_graphs" in record.getMessage()]
    assert ["packed images" in told[0], "more than 1 shapes" in told[1]] == [True, True]
    assert len(told) == 2


@pytest.mark.parametrize(
    ("method", "changes", "reason"),
    [
        ("joint", {}, None),
        ("default", {}, None),
        ("mean_pool", {}, None),
        ("paper_a", {}, "no fixed shape"),
        ("cosine_graph", {}, "no fixed shape"),
        ("default", {"upper_gradient": "unrolled"}, "numbers on the host"),
        ("joint", {"upper_gradient": "unrolled"}, None),
    ],
)
def test_what_has_no_fixed_shape_is_named(method, changes, reason, of_one_class):
    told = why_not(METHODS[method], replace(CAPTURED, **changes), of_one_class.fitting, CARD)
    assert (told is None) == (reason is None)
    assert reason is None or reason in told


def test_images_drawn_or_fetched_anew_have_no_recorded_steps(of_one_class, roles):
    spec = METHODS["joint"]
    assert "do not lie on the card" in why_not(spec, CAPTURED, roles.fitting, CARD)
    drawing = replace(spec, settings=replace(spec.settings, patches_per_epoch=5))
    assert "drawn anew" in why_not(drawing, CAPTURED, of_one_class.fitting, CARD)


def test_a_processor_records_nothing_and_says_so_if_it_was_asked(of_one_class, caplog):
    spec, images = METHODS["joint"], of_one_class.fitting
    with caplog.at_level(logging.WARNING, "abignet"):
        for fitting in (FittingParams(), CAPTURED):
            assert not caplog.records
            assert recorder_for(spec, fitting, images, CPU) is None
            say_if_not_recorded(spec, fitting, images, CPU)
    (told,) = caplog.records
    assert "there is no card" in told.getMessage()


def test_size_classes_are_few_and_near():
    classes = sorted({size_class(n) for n in range(1, 257)})
    assert classes == [*range(8, 65, 8), 80, 96, 112, 128, 160, 192, 224, 256]
    assert all(n <= size_class(n) < n + 8 for n in range(1, 65))
    assert all(size_class(n) <= 1.25 * n for n in range(32, 4096))


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS_CAPTURED)
def test_a_card_trains_the_same_by_recorded_steps(method, random_images):
    weights = []
    for fitting in (FittingParams(), CAPTURED):
        images = random_images([8] * 20)
        stored = store_images([image.but(offset=torch.zeros(2)) for image in images], 160, CARD)
        spec, model = small(method, epochs=6, pretraining_steps=10, patience=0)
        roles = TrainingImages(stored[:10], stored[10:16], stored[16:])
        with deterministic_torch(1, 1, CARD):
            fit(model.to(CARD), roles, Objective(spec, EVEN.to(CARD), fitting), order_seed=0)
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
