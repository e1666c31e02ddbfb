"""What an epoch costs a card, counted on the processor.

Torch's device ``meta`` stands for a card: a tensor there has a shape and no values, so that whatever looks at
values, to wait for them or to shape a result by them, fails instead of passing unseen.
"""

import pytest
import torch

from pipeline.training.fitting import bilevel
from pipeline.training.fitting.bilevel import fit
from pipeline.training.fitting.epoch_records import Tally
from pipeline.training.fitting.inference import judge_images
from pipeline.training.fitting.steps import (
    Objective,
    TrainingImages,
    descend,
    joined_steps,
    level_loss,
    make_optimisers,
    planned_steps,
)
from pipeline.training.graphs.fixed_graphs import ScoredEdges
from pipeline.training.graphs.resident_images import store_images
from tests.training.fitting.small_models import EVEN, small
from tests.watched_kernels import Watched

CPU, META = torch.device("cpu"), torch.device("meta")

LAUNCHES = {"mean_pool": 60, "cosine_graph": 120, "joint": 160, "default": 130}
"""Kernels of the largest step of an epoch: images selected, forward, backward, clipping, optimiser, sums."""


def with_offsets(roles):
    def beside(images):
        return [image.but(offset=torch.zeros(2)) for image in images]

    return TrainingImages(beside(roles.train), beside(roles.structure), beside(roles.select))


def on_device(roles, device):
    """The images as they lie on a device."""
    everything = roles.all
    resident = store_images(everything, sum(image.n_nodes for image in everything), device)
    first, last = len(roles.train), len(roles.train) + len(roles.structure)
    return TrainingImages(resident[:first], resident[first:last], resident[last:])


def know_edges(model, roles, resident):
    """What a fixed graph remembers of images after its first epoch."""
    if hasattr(model.generator, "_edges"):
        for image, same in zip(roles.all, resident.all, strict=True):
            edges = model.generator.edges(image)
            held = [part.to(same.device) for part in (edges.edge_index, edges.score)]
            model.generator._edges[same] = ScoredEdges(*held)


def plain_descent(model, spec):
    """Optimisers whose kernels ``meta`` has; torch's fused ones are counted on the processor."""
    weights = {"lower": list(model.classifier.parameters()), "upper": list(model.generator.parameters())}
    if spec.levels == "one":
        weights = {"lower": weights["lower"] + weights["upper"]}
    return {level: torch.optim.SGD(group, lr=0.1, foreach=True) for level, group in weights.items()}


@pytest.mark.parametrize("method", LAUNCHES)
def test_an_epoch_copies_its_order_to_the_device_and_waits_for_nothing(method, roles):
    roles = with_offsets(roles)
    spec, model = small(method)
    resident = on_device(roles, META)
    know_edges(model, roles, resident)
    model.to(META)
    objective = Objective(spec, EVEN.to(META))
    run = bilevel._Run(model, plain_descent(model, spec), torch.Generator(), META)
    copies = []
    for _ in range(3):
        model.generator.start_epoch(0)
        with Watched() as watched:
            bilevel._epoch(run, resident, objective)
            judged = judge_images(model, resident.judging)
        assert not watched.waits
        assert run.sums.device == judged.measures.device == META
        copies.append(watched.copies.total())
    # The first epoch also describes its images and the order of those that judge.
    assert copies[1:] == [1, 1]


@pytest.mark.parametrize("method", LAUNCHES)
def test_a_training_waits_for_a_device_once_an_epoch(method, roles, monkeypatch):
    fetched = []
    on_host = bilevel.on_host
    monkeypatch.setattr(bilevel, "on_host", lambda tensors: fetched.append(len(tensors)) or on_host(tensors))
    spec, model = small(method, epochs=4, pretraining_steps=0)
    resident = on_device(with_offsets(roles), CPU)
    know_edges(model, resident, resident)
    with Watched() as watched:
        history = fit(model, resident, Objective(spec, EVEN), order_seed=0, select_logits=[])
    assert fetched == [4] * len(history)
    assert not watched.waits


def launches_of_a_step(method, images, n_images):
    """Most launches of a step of the second epoch, of ``n_images`` a batch."""
    roles = on_device(TrainingImages(*(images([12] * n_images, seed=seed) for seed in range(3))), CPU)
    spec, model = small(method, batch_size=n_images)
    know_edges(model, roles, roles)
    optimisers, objective, sums = make_optimisers(model, spec), Objective(spec, EVEN), torch.zeros(2, 2).double()
    launches = []
    for _ in range(2):
        launches.clear()
        for level, batch, _ in joined_steps(roles, planned_steps(model, roles, spec, torch.Generator())):
            with Watched() as watched:
                loss, logits = level_loss(model, batch, level, objective)
                descend(optimisers[level], loss, spec.settings.gradient_clip)
                Tally(sums[0]).add(loss, logits, batch.labels)
            launches.append(watched.launches)
    return max(launches)


@pytest.mark.parametrize("method", LAUNCHES)
def test_a_step_has_few_launches_however_many_images(method, random_images):
    few, many = (launches_of_a_step(method, random_images, n_images) for n_images in (2, 20))
    assert many <= LAUNCHES[method]
    # Edges of fixed graphs are joined image by image.
    assert many - few <= (60 if method == "cosine_graph" else 0)
