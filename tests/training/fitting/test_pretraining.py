import math
from dataclasses import replace

import pytest
import torch

from pipeline.synthetic.planted import PlantedParams, plant_images
from pipeline.training.fitting import pretraining
from pipeline.training.fitting.pretraining import (
    contrastive_losses,
    drawn_rows,
    log_mean_exp,
    pairs_of,
    picked,
    pretrain,
    signature_losses,
)
from pipeline.training.graphs.generator import NoGraph
from pipeline.training.graphs.image_batches import NodeImage, PaddedBatch
from pipeline.training.graphs.metric_generator import Metric, MetricParams
from pipeline.training.graphs.pair_mlp import PairMLP
from pipeline.training.params import Settings
from tests.watched_kernels import Watched

PARAMS = PlantedParams(n_images=80, n_pairs=6, n_distractors=2, key_dim=4, nuisance_dim=4)
SETTINGS = Settings(pretraining_steps=100)


def planted(params=PARAMS):
    images = plant_images(params, seed=0)
    return images, [NodeImage(torch.from_numpy(i.features), torch.zeros(len(i.features), 2), 0) for i in images]


def strangers(nodes):
    """The same patches dealt out to images at random: nothing is shared within an image."""
    pool = torch.cat([image.x for image in nodes])
    pool = pool[torch.randperm(len(pool), generator=torch.Generator().manual_seed(0))]
    return [replace(image, x=x) for image, x in zip(nodes, pool.chunk(len(nodes)), strict=True)]


def drawn(n_features=PARAMS.n_features):
    torch.manual_seed(0)
    return Metric(n_features, MetricParams(heads=2, projection=8, temperature=8.0))


def partners_found(generator, images, nodes):
    """Share of the patches of pairs that give their partner the most weight."""
    hits = []
    for image, node in zip(images, nodes, strict=True):
        strongest = generator(PaddedBatch.of([node])).weights.mean(dim=1)[0].argmax(dim=-1).numpy()
        hits += [*(strongest[image.pairs[0]] == image.pairs[1]), *(strongest[image.pairs[1]] == image.pairs[0])]
    return sum(hits) / len(hits)


def loss_of_all(generator, batch):
    return contrastive_losses(generator, batch, drawn_rows(batch, 100, torch.Generator())).mean()


def test_pairs_of_unseen_images_are_found_without_labels():
    images, nodes = planted()
    generator = drawn()
    before = partners_found(generator, images[60:], nodes[60:])
    contrast = pretrain(generator, nodes[:45], nodes[45:60], SETTINGS, order_seed=0)
    assert before < 0.7
    assert partners_found(generator, images[60:], nodes[60:]) > 0.9
    assert 0.02 < contrast < math.log(2)
    assert not generator.project.weight.any()


def test_without_pairs_the_generator_stays_as_it_was_drawn():
    _, nodes = planted()
    nodes = strangers(nodes)
    generator = drawn()
    assert pretrain(generator, nodes[:45], nodes[45:60], SETTINGS, order_seed=0) < 0.02
    found = {"contrast", "signature"}
    for name, tensor in drawn().state_dict().items():
        assert torch.equal(generator.state_dict()[name], tensor) == (name not in found)


def test_what_all_patches_of_an_image_share_is_told():
    _, nodes = planted()
    directions = torch.eye(PARAMS.n_features)[-3:]
    stains = [4 * torch.randn(3, generator=torch.Generator().manual_seed(k)) @ directions for k in range(len(nodes))]
    stained = [replace(image, x=image.x + stain) for image, stain in zip(strangers(nodes), stains, strict=True)]
    told = []
    for images in (nodes, stained):
        generator = drawn()
        contrast = pretrain(generator, images[:45], images[45:60], SETTINGS, order_seed=0)
        told.append(float(generator.signature) / contrast)
    assert told[0] < 0.5 < 0.9 < told[1]


def test_of_large_images_some_patches_are_compared_and_pairs_are_found_all_the_same():
    images, nodes = planted()
    shares, states = [], []
    for _ in range(2):
        generator = drawn()
        contrast = pretrain(generator, nodes[:45], nodes[45:60], replace(SETTINGS, dense_limit=9), order_seed=0)
        shares.append(partners_found(generator, images[60:], nodes[60:]))
        states.append(generator.state_dict())
    assert shares[0] > 0.8
    assert contrast > 0.02
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_images_of_any_size_are_compared(random_images):
    # All pairs of these patches would take 6.4 GB an image and head.
    large = random_images([40_000, 40_000])
    contrast = pretrain(drawn(5), large, large, replace(SETTINGS, pretraining_steps=1), order_seed=0)
    assert contrast == pytest.approx(0, abs=0.1)


def test_the_iterate_with_the_least_held_out_loss_is_kept(monkeypatch):
    _, nodes = planted()
    seen, losses = [], iter([0.5, 0.3, 0.6, 0.7])

    def held_out_loss(generator, *_):
        seen.append(generator.project.weight.detach().clone())
        return next(losses)

    monkeypatch.setattr(pretraining, "CHECK_EVERY_STEPS", 2)
    monkeypatch.setattr(pretraining, "held_out_loss", held_out_loss)
    generator = drawn()
    contrast = pretrain(generator, nodes[:45], nodes[45:60], replace(SETTINGS, pretraining_steps=5), order_seed=0)
    assert contrast == pytest.approx(math.log(2) - 0.3)
    assert len(seen) == 4
    # The weights that had it are in the buffer now.
    assert torch.equal(generator.settled_projection, seen[1])


def test_labels_do_not_enter():
    _, nodes = planted()
    states = []
    for label in (0, 1):
        generator = drawn()
        labelled = [replace(image, label=label) for image in nodes]
        pretrain(generator, labelled[:45], labelled[45:60], SETTINGS, order_seed=3)
        states.append(generator.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_loss_of_two_images_of_two_patches_by_hand():
    generator = Metric(2, MetricParams(heads=1, projection=2, temperature=3.0))
    with torch.no_grad():
        generator.project.weight.copy_(torch.eye(2))
    east, north = torch.tensor([[1.0, 0], [2, 0]]), torch.tensor([[0, 1.0], [0, 5]])
    batch = PaddedBatch.of([NodeImage(x, torch.zeros(2, 2), 0) for x in (east, north)])
    # Own patch has cosine 1, both foreign ones 0: exp(3) against 1.
    assert loss_of_all(generator, batch).item() == pytest.approx(math.log(1 + math.exp(-3)), rel=1e-5)


def test_the_null_of_two_images_of_three_patches_by_hand():
    generator = Metric(2, MetricParams(heads=1, projection=2, temperature=3.0))
    with torch.no_grad():
        generator.project.weight.copy_(torch.eye(2))
    east, south = torch.tensor([[1.0, 0], [2, 0], [0, 7]]), torch.tensor([[0, -1.0], [0, -5], [-3, 0]])
    batch = PaddedBatch.of([NodeImage(x, torch.zeros(3, 2), 0) for x in (east, south)])
    # Means of t cos: 1.5 and 0 of the own image, -1 and -2 of the other one.
    expected = (2 * math.log1p(math.exp(-1 - 1.5)) + math.log1p(math.exp(-2))) / 3
    losses = signature_losses(generator, batch, drawn_rows(batch, 100, torch.Generator()))
    assert losses.mean().item() == pytest.approx(expected, rel=1e-5)
    assert losses.told() == pytest.approx(expected, rel=1e-5)


def test_identical_images_have_the_loss_of_chance():
    generator = drawn(3)
    batch = PaddedBatch.of([NodeImage(torch.ones(4, 3), torch.zeros(4, 2), 0) for _ in range(3)])
    assert loss_of_all(generator, batch).item() == pytest.approx(math.log(2), abs=1e-5)


def test_padding_does_not_enter_the_loss(random_images):
    generator = drawn(5)
    images = random_images([6, 6, 6])
    torch.manual_seed(1)
    padded = PaddedBatch.of([*images, NodeImage(torch.randn(9, 5), torch.zeros(9, 2), 0)])
    batch = PaddedBatch.of(images)
    cut = replace(padded, x=padded.x[:3], coords=padded.coords[:3], mask=padded.mask[:3], labels=padded.labels[:3])
    assert cut.x.shape[1] == 9
    torch.testing.assert_close(loss_of_all(generator, cut), loss_of_all(generator, batch))


def test_rows_of_large_images_are_real_patches_each_once_and_few(random_images):
    batch = PaddedBatch.of(random_images([40, 100, 3]))
    rows = drawn_rows(batch, 20, torch.Generator().manual_seed(0))
    assert rows.shape == (3, 20**2 // 100)
    real = batch.mask.take_along_dim(rows, dim=1)
    assert real.sum(dim=1).tolist() == [4, 4, 3]
    assert all(len(set(row[keep].tolist())) == int(keep.sum()) for row, keep in zip(rows, real, strict=True))


def test_the_loss_of_all_patches_is_the_mean_over_parts_of_them(random_images):
    generator, batch = drawn(5), PaddedBatch.of(random_images([6, 6]))
    rows = torch.arange(6).expand(2, -1)
    parts = [contrastive_losses(generator, batch, rows[:, s]).mean() for s in (slice(2), slice(2, 6))]
    assert loss_of_all(generator, batch).item() == pytest.approx((2 * parts[0] + 4 * parts[1]).item() / 6)


def test_patches_are_picked_to_the_bit_and_their_gradient_goes_back_to_the_bit(random_images):
    batch = PaddedBatch.of(random_images([40, 100, 3]))
    rows = drawn_rows(batch, 20, torch.Generator().manual_seed(0))
    directions = torch.randn(3, 2, 100, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    weights = torch.randn(3, 2, rows.shape[1], 4, generator=torch.Generator().manual_seed(2))
    by_product, by_index = picked(directions, rows), directions.take_along_dim(rows[:, None, :, None], dim=2)
    assert torch.equal(by_product, by_index)
    gradients = [torch.autograd.grad((chosen * weights).sum(), directions)[0] for chosen in (by_product, by_index)]
    assert torch.equal(*gradients)


def test_all_rows_are_as_if_each_were_named(random_images):
    generator, batch = drawn(5), PaddedBatch.of(random_images([6, 4, 1]))
    named = torch.arange(6).expand(3, -1)
    assert torch.equal(pairs_of(None, batch), pairs_of(named, batch))
    every, each = (contrastive_losses(generator, batch, rows) for rows in (None, named))
    assert torch.equal(every.each, each.each)
    assert torch.equal(every.counts, each.counts)


def test_the_mean_of_a_step_has_the_gradient_of_the_mean_that_is_told_to_the_bit(random_images):
    batch, gradients = PaddedBatch.of(random_images([6, 4, 1])), []
    for mean in (lambda losses: losses.mean(), lambda losses: losses.each[losses.counts].mean()):
        generator = drawn(5)
        mean(contrastive_losses(generator, batch, None)).backward()
        gradients.append(generator.project.weight.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("dense_limit", [0, 4], ids=["all patches", "some patches"])
def test_a_step_waits_for_nothing_and_sorts_no_gradient(dense_limit, random_images):
    generator, batch = drawn(5), PaddedBatch.of(random_images([6, 9, 1, 4]))
    rows = drawn_rows(batch, dense_limit, torch.Generator())
    with Watched() as watched:
        contrastive_losses(generator, batch, rows).mean().backward()
    assert not watched.waits
    assert not watched.sorts


def test_log_mean_exp_by_hand():
    logits, mask = torch.tensor([math.log(2), math.log(4), 50.0]), torch.tensor([True, True, False])
    assert log_mean_exp(logits, mask).item() == pytest.approx(math.log(3))


def test_single_patches_and_single_images_are_left_out(random_images):
    many, single = random_images([5, 1, 4, 1]), random_images([5])
    generator = drawn(5)
    assert math.isfinite(pretrain(generator, many, many, replace(SETTINGS, pretraining_steps=2), order_seed=0))
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    assert math.isnan(pretrain(generator, single, many, SETTINGS, order_seed=0))
    assert math.isnan(pretrain(generator, many, random_images([1, 1]), SETTINGS, order_seed=0))
    assert math.isnan(pretrain(generator, many, many, replace(SETTINGS, pretraining_steps=0), order_seed=0))
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())


def test_other_generators_are_left_alone(images):
    torch.manual_seed(0)
    generator = PairMLP(5)
    before = generator.first.weight.clone()
    assert math.isnan(pretrain(generator, images, images, SETTINGS, order_seed=0))
    assert torch.equal(generator.first.weight, before)
    assert math.isnan(pretrain(NoGraph(), images, images, SETTINGS, order_seed=0))
