import math
from dataclasses import replace

import pytest
import torch

from pipeline.errors import CohortError
from pipeline.training.batches import NodeImage, pack
from pipeline.training.bilevel import (
    TrainingImages,
    effective_degree,
    fit,
    level_loss,
    make_optimisers,
    schedule,
    take_step,
)
from pipeline.training.inference import evaluate_images
from pipeline.training.model import build_model
from pipeline.training.presets import METHODS, Settings

FAST = replace(METHODS["default"].settings, epochs=3, hidden=8, heads=2, projection=4, batch_size=4)
EVEN = torch.ones(2)


def small(name, **changes):
    torch.manual_seed(0)
    settings = replace(METHODS[name].settings, **{"epochs": 3, "hidden": 8, "heads": 2, "batch_size": 4, **changes})
    spec = replace(METHODS[name], settings=settings)
    return spec, build_model(spec, 5, 2)


@pytest.fixture
def roles(random_images):
    return TrainingImages(random_images([5] * 10), random_images([5] * 6, seed=1), random_images([5] * 4, seed=2))


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def moved(module, before):
    return any(not torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("name", ["default", "paper_a", "paper_b"])
@pytest.mark.parametrize("level", ["lower", "upper"])
def test_a_step_moves_its_own_level_only(name, level, roles):
    spec, model = small(name)
    before = state(model.generator), state(model.classifier)
    loss, _ = level_loss(model, pack(roles.train), level, spec, EVEN)
    take_step(make_optimisers(model, spec)[level], loss, spec.settings.gradient_clip)
    assert moved(model.generator, before[0]) == (level == "upper")
    assert moved(model.classifier, before[1]) == (level == "lower")


def test_the_upper_gradient_is_that_of_the_loss_at_constant_classifier(roles):
    """First order: the generator's gradient is the partial derivative, checked by central differences."""
    spec, model = small("default", dropout=0.0)
    model.double()
    batch = pack([NodeImage(i.x.double(), i.coords.double(), i.label) for i in roles.structure])
    weight, even = model.generator.log_temperature, EVEN.double()
    level_loss(model, batch, "upper", spec, even)[0].backward()
    gradient, step = weight.grad.clone(), 1e-5
    with torch.no_grad():
        weight[0] += step
        above = level_loss(model, batch, "upper", spec, even)[0]
        weight[0] -= 2 * step
        below = level_loss(model, batch, "upper", spec, even)[0]
    assert gradient[0].item() == pytest.approx(((above - below) / (2 * step)).item(), rel=1e-4)


def test_the_edge_penalty_is_lambda_mean_adjacency(roles):
    spec, model = small("paper_b")
    model.generator.stochastic_evaluation = False
    batch = pack(roles.structure)
    losses = []
    for penalty in (0.0, 0.5):
        torch.manual_seed(1)
        losses.append(level_loss(model, batch, "upper", replace(spec, edge_penalty=penalty), EVEN)[0])
    torch.manual_seed(1)
    model.train()
    torch.testing.assert_close(losses[1] - losses[0], 0.5 * model.generator(batch).abs().mean())


def test_alternating_by_step_goes_round_the_structure_images(roles):
    spec, _ = small("default")
    steps = [(level, len(batch.labels)) for level, batch in schedule(roles, spec, torch.Generator())]
    assert steps == [("lower", 4), ("upper", 4), ("lower", 4), ("upper", 2), ("lower", 2), ("upper", 4)]


def test_alternating_by_pass_is_one_pass_each(roles):
    spec, _ = small("paper_a", batch_size=1)
    levels = [level for level, _ in schedule(roles, spec, torch.Generator())]
    assert levels == ["lower"] * 10 + ["upper"] * 6


def test_one_level_methods_see_both_roles_together(roles):
    spec, _ = small("joint")
    steps = [(level, len(batch.labels)) for level, batch in schedule(roles, spec, torch.Generator())]
    assert steps == [("lower", 4)] * 4


def test_the_epoch_with_the_least_select_loss_is_put_back(roles):
    spec, model = small("default", epochs=60, patience=5, learning_rate=0.05)
    history = fit(model, roles, spec, EVEN, order_seed=0)
    (kept,) = [row for row in history if row.selected]
    assert kept.select_loss < history[-1].select_loss
    assert len(history) == kept.epoch + 6
    assert evaluate_images(model, roles.select).loss == pytest.approx(kept.select_loss)


@pytest.mark.parametrize("reason", ["no patience", "no select images"])
def test_otherwise_the_last_iterate_stays(reason, roles):
    spec, model = small("default", patience=0 if reason == "no patience" else 1)
    history = fit(model, roles if reason == "no patience" else replace(roles, select=[]), spec, EVEN, order_seed=0)
    assert [row.selected for row in history] == [False, False, True]
    assert math.isnan(history[0].select_loss) == (reason == "no select images")


def test_the_published_tau_is_in_the_history(roles):
    spec, model = small("paper_a", batch_size=4)
    history = fit(model, roles, spec, EVEN, order_seed=0)
    assert [row.tau for row in history] == pytest.approx([1, 0.98, 0.98**2])


def test_levels_without_images_and_infinite_losses_are_errors(roles):
    spec, model = small("default")
    with pytest.raises(CohortError, match="structure"):
        fit(model, replace(roles, structure=[]), spec, EVEN, order_seed=0)
    with pytest.raises(CohortError, match="role train"):
        fit(model, replace(roles, train=[]), spec, EVEN, order_seed=0)
    broken = NodeImage(torch.full((3, 5), math.nan), torch.zeros(3, 2), 0)
    with pytest.raises(CohortError, match="the loss is nan after epoch 0"):
        fit(model, replace(roles, train=[broken]), spec, EVEN, order_seed=0)


def test_the_effective_degree_of_a_fixed_graph_is_its_degree(random_images):
    coords = torch.tensor([[0.0, 0], [1, 0], [3, 0], [7, 0]])
    (image,) = random_images([4])
    _, model = small("spatial_graph", target_degree=1)
    # A path of four nodes: degrees 1, 2, 2, 1.
    assert effective_degree(model, [replace(image, coords=coords)]) == pytest.approx(1.5)
    assert math.isnan(effective_degree(small("mean_pool")[1], [image]))


def test_settings_default_to_early_stopping():
    assert Settings().patience > 0
