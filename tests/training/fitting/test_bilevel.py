import math
from dataclasses import replace

import pytest
import torch

from pipeline.errors import CohortError
from pipeline.training.fitting.bilevel import LEAST_GAIN, BestIterate, Tally, fit, patience_in_epochs
from pipeline.training.fitting.inference import evaluate_images
from pipeline.training.fitting.steps import Objective
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import Settings
from tests.training.fitting.small_models import EVEN, small

FAST = replace(METHODS["default"].settings, epochs=3, hidden=8, heads=2, projection=4, batch_size=4)


def test_the_epoch_with_the_least_select_loss_is_put_back(roles):
    spec, model = small("default", epochs=400, patience=5, learning_rate=0.05)
    history = fit(model, roles, Objective(spec, EVEN), order_seed=0)
    (kept,) = [row for row in history if row.selected]
    assert kept.select_loss < history[-1].select_loss
    assert len(history) == kept.epoch + 1 + patience_in_epochs(roles, spec)
    assert evaluate_images(model, roles.select).loss == pytest.approx(kept.select_loss)


@pytest.mark.parametrize(
    ("method", "batch_size", "epochs"), [("default", 1, 40), ("default", 16, 400), ("joint", 1, 25)]
)
def test_patience_counts_steps_where_epochs_are_short(method, batch_size, epochs, roles):
    spec, _ = small(method, patience=5, batch_size=batch_size)
    assert patience_in_epochs(roles, spec) == epochs
    assert patience_in_epochs(roles, replace(spec, settings=replace(spec.settings, patience=500))) == 500


@pytest.mark.parametrize("reason", ["no patience", "no select images"])
def test_otherwise_the_last_iterate_stays(reason, roles):
    spec, model = small("default", patience=0 if reason == "no patience" else 1)
    history = fit(
        model, roles if reason == "no patience" else replace(roles, select=[]), Objective(spec, EVEN), order_seed=0
    )
    assert [row.selected for row in history] == [False, False, True]
    assert math.isnan(history[0].select_loss) == (reason == "no select images")


def test_the_published_tau_is_in_the_history(roles):
    spec, model = small("paper_a", batch_size=4)
    history = fit(model, roles, Objective(spec, EVEN), order_seed=0)
    assert [row.tau for row in history] == pytest.approx([1, 0.98, 0.98**2])


def test_levels_without_images_and_infinite_losses_are_errors(roles):
    spec, model = small("default")
    with pytest.raises(CohortError, match="structure"):
        fit(model, replace(roles, structure=[]), Objective(spec, EVEN), order_seed=0)
    with pytest.raises(CohortError, match="role train"):
        fit(model, replace(roles, train=[]), Objective(spec, EVEN), order_seed=0)
    broken = NodeImage(torch.full((3, 5), math.nan), torch.zeros(3, 2), 0)
    with pytest.raises(CohortError, match="the loss is nan after epoch 0"):
        fit(model, replace(roles, train=[broken]), Objective(spec, EVEN), order_seed=0)


def test_a_loss_on_select_that_is_no_number_is_an_error(roles):
    spec, model = small("default")
    broken = NodeImage(torch.full((3, 5), math.nan), torch.zeros(3, 2), 0)
    with pytest.raises(CohortError, match="the loss is nan after epoch 0"):
        fit(model, replace(roles, select=[broken]), Objective(spec, EVEN), order_seed=0)


def test_means_over_an_epoch_weigh_batches_by_their_images():
    tally = Tally(torch.zeros(2, dtype=torch.float64))
    assert all(math.isnan(value) for value in tally.means(tally.sums))
    tally.images = 4
    tally.add(torch.tensor(1.0), torch.tensor([[2.0, 0], [2, 0], [2, 0]]), torch.tensor([0, 0, 1]))
    tally.add(torch.tensor(5.0), torch.tensor([[0.0, 1]]), torch.tensor([1]))
    assert tally.means(tally.sums) == (2, 0.75)


def test_a_better_iterate_must_be_better_by_more_than_the_least_gain():
    best, model = BestIterate(), torch.nn.Linear(1, 1)
    best.offer(1.0, 0, model)
    kept = model.weight.clone()
    with torch.no_grad():
        model.weight.add_(1)
    best.offer(1.0 - LEAST_GAIN / 2, 1, model)
    assert (best.epoch, best.loss) == (0, 1)
    assert torch.equal(best.state["weight"], kept)
    best.offer(1.0 - 2 * LEAST_GAIN, 2, model)
    assert best.epoch == 2
    assert torch.equal(best.state["weight"], kept + 1)


def test_the_effective_degree_of_a_fixed_graph_is_its_degree(random_images):
    coords = torch.tensor([[0.0, 0], [1, 0], [3, 0], [7, 0]])
    (image,) = random_images([4])
    _, model = small("spatial_graph", target_degree=1)
    # A path of four nodes: degrees 1, 2, 2, 1.
    assert evaluate_images(model, [replace(image, coords=coords)]).mean_degree == pytest.approx(1.5)
    assert math.isnan(evaluate_images(small("mean_pool")[1], [image]).mean_degree)


def test_settings_default_to_early_stopping():
    assert Settings().patience > 0
