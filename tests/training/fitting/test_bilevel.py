import math
from dataclasses import replace

import pytest
import torch

from pipeline.errors import CohortError
from pipeline.training.fitting.bilevel import fit, patience_in_epochs
from pipeline.training.fitting.inference import evaluate_images
from pipeline.training.fitting.steps import Objective
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.params import Settings
from tests.training.fitting.small_models import EVEN, small


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


def test_the_effective_degree_of_a_fixed_graph_is_its_degree(random_images):
    coords = torch.tensor([[0.0, 0], [1, 0], [3, 0], [7, 0]])
    (image,) = random_images([4])
    _, model = small("spatial_graph", target_degree=1)
    # A path of four nodes: degrees 1, 2, 2, 1.
    assert evaluate_images(model, [replace(image, coords=coords)]).mean_degree == pytest.approx(1.5)
    assert math.isnan(evaluate_images(small("mean_pool")[1], [image]).mean_degree)


def test_settings_default_to_early_stopping():
    assert Settings().patience > 0
