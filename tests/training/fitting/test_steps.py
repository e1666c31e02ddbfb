from dataclasses import replace

import pytest
import torch

from pipeline.training.fitting.steps import (
    Objective,
    descend,
    joined_steps,
    level_loss,
    make_optimisers,
    mixed_precision,
    planned_steps,
)
from pipeline.training.graphs.image_batches import NodeImage, PaddedBatch
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import FittingParams
from tests.training.fitting.small_models import EVEN, small


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def moved(module, before):
    return any(not torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("name", ["default", "paper_a", "paper_b"])
@pytest.mark.parametrize("level", ["lower", "upper"])
def test_a_step_moves_its_own_level_only(name, level, roles):
    spec, model = small(name)
    before = state(model.generator), state(model.classifier)
    loss, _ = level_loss(model, PaddedBatch.of(roles.train), level, Objective(spec, EVEN))
    descend(make_optimisers(model, spec)[level], loss, spec.settings.gradient_clip)
    assert moved(model.generator, before[0]) == (level == "upper")
    assert moved(model.classifier, before[1]) == (level == "lower")
    held = model.classifier if level == "upper" else model.generator
    assert all(weight.grad is None for weight in held.parameters())


def test_the_upper_gradient_is_that_of_the_loss_at_constant_classifier(roles):
    """First order: the generator's gradient is the partial derivative, checked by central differences."""
    spec, model = small("default", dropout=0.0)
    model.double()
    batch = PaddedBatch.of([NodeImage(i.x.double(), i.coords.double(), i.label) for i in roles.structure])
    weight, even = model.generator.log_temperature, EVEN.double()
    level_loss(model, batch, "upper", Objective(spec, even))[0].backward()
    gradient, step = weight.grad.clone(), 1e-5
    with torch.no_grad():
        weight[0] += step
        above = level_loss(model, batch, "upper", Objective(spec, even))[0]
        weight[0] -= 2 * step
        below = level_loss(model, batch, "upper", Objective(spec, even))[0]
    assert gradient[0].item() == pytest.approx(((above - below) / (2 * step)).item(), rel=1e-4)


def test_the_edge_penalty_is_lambda_mean_adjacency(roles):
    spec, model = small("paper_b")
    model.generator.stochastic_evaluation = False
    batch = PaddedBatch.of(roles.structure)
    losses = []
    for penalty in (0.0, 0.5):
        torch.manual_seed(1)
        losses.append(level_loss(model, batch, "upper", Objective(replace(spec, edge_penalty=penalty), EVEN))[0])
    torch.manual_seed(1)
    model.train()
    torch.testing.assert_close(losses[1] - losses[0], 0.5 * model.generator(batch).weights.abs().mean())


def test_the_gradient_of_the_generator_alone_is_clipped(roles):
    spec, model = small("joint")
    optimiser = make_optimisers(model, spec)["lower"]
    loss, _ = level_loss(model, PaddedBatch.of(roles.train), "lower", Objective(spec, EVEN))
    for clip, clipped in ((0.5, True), (0.0, False)):
        descend(optimiser, 1e4 * loss, clip)
        norms = [
            torch.stack([w.grad.norm() for w in m.parameters()]).norm() for m in (model.generator, model.classifier)
        ]
        assert (norms[0] <= 0.5) == clipped
        assert norms[1] > 0.5
        loss, _ = level_loss(model, PaddedBatch.of(roles.train), "lower", Objective(spec, EVEN))


@pytest.mark.parametrize("name", ["default", "joint", "mean_pool"])
def test_each_part_has_its_own_step_size(name):
    spec, model = small(name, learning_rate=0.25, generator_learning_rate=0.125, weight_decay=0.5)
    groups = [group for optimiser in make_optimisers(model, spec).values() for group in optimiser.param_groups]
    sizes = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    assert {sizes[id(weight)] for weight in model.classifier.parameters()} == {0.25}
    assert {sizes[id(weight)] for weight in model.generator.parameters()} == ({0.125} if name != "mean_pool" else set())
    assert {group["weight_decay"] for group in groups} == {0.5}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_mixed_precision_is_on_where_it_is_asked_for(precision):
    with mixed_precision(torch.device("cpu"), FittingParams(precision=precision)):
        assert torch.is_autocast_enabled("cpu") == (precision == "bfloat16")


def test_alternating_by_step_goes_round_the_structure_images(roles):
    spec, model = small("default")
    steps = [(level, len(group.places)) for level, group, _ in planned_steps(model, roles, spec, torch.Generator())]
    assert steps == [("lower", 4), ("upper", 4), ("lower", 4), ("upper", 2), ("lower", 2), ("upper", 4)]


def test_alternating_by_pass_is_one_pass_each(roles):
    spec, model = small("paper_a", batch_size=1)
    levels = [level for level, _, _ in planned_steps(model, roles, spec, torch.Generator())]
    assert levels == ["lower"] * 10 + ["upper"] * 6


def test_one_level_methods_see_both_roles_together(roles):
    spec, model = small("joint")
    steps = [(level, len(group.places)) for level, group, _ in planned_steps(model, roles, spec, torch.Generator())]
    assert steps == [("lower", 4)] * 4


@pytest.mark.parametrize("name", ["default", "paper_a"])
def test_an_upper_step_is_answered_by_a_lower_batch(name, roles):
    spec, model = small(name)
    steps = list(joined_steps(roles, planned_steps(model, roles, spec, torch.Generator())))
    lower = [batch for level, batch, _ in steps if level == "lower"]
    answers = [answer() for level, _, answer in steps if level == "upper"]
    assert len(answers) == (3 if name == "default" else 2)
    assert all(answer.images == batch.images for answer, batch in zip(answers, lower, strict=False))
    assert all(torch.equal(answer.x, batch.x) for answer, batch in zip(answers, lower, strict=False))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "logistic"])
def test_every_method_takes_steps_in_mixed_precision(name, roles):
    """The CPU's autocast stands for that of CUDA: the same types meet in the same places."""
    spec, model = small(name)
    for level, optimiser in make_optimisers(model, spec).items():
        with torch.autocast("cpu", torch.bfloat16):
            ((_, batch),) = model.batches(roles.train, len(roles.train))
            loss, logits = level_loss(model, batch, level, Objective(spec, EVEN))
        assert (loss.dtype, logits.dtype) == (torch.float32, torch.bfloat16)
        descend(optimiser, loss, spec.settings.gradient_clip)
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


@pytest.mark.gpu
def test_mixed_precision_on_cuda_learns_as_full_precision_does(roles):
    losses = {}
    for precision in ("float32", "bfloat16"):
        spec, model = small("default", dropout=0.0)
        model.cuda()
        images = [replace(image, x=image.x.cuda(), coords=image.coords.cuda()) for image in roles.train]
        optimisers = make_optimisers(model, spec)
        for _ in range(20):
            with mixed_precision(torch.device("cuda"), FittingParams(precision=precision)):
                loss, _ = level_loss(model, PaddedBatch.of(images), "lower", Objective(spec, EVEN.cuda()))
            descend(optimisers["lower"], loss, 1.0)
        losses[precision] = float(loss)
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.1)


def test_images_held_out_stop_and_the_other_ones_that_did_fit(roles):
    everything = roles.all
    held = roles.held_out([0, 11, 17])
    assert held.select == [everything[0], everything[11], everything[17]]
    assert held.structure == [image for place, image in enumerate(roles.structure) if place != 1]
    assert held.train == [*roles.train[1:], *roles.select[:1], *roles.select[2:]]
