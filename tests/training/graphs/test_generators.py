import math
from dataclasses import replace

import pytest
import torch

from pipeline.training.classifiers.baselines import CosineGraph, SpatialGraph
from pipeline.training.graphs.generators import Metric, PairMLP, standard_gumbel
from pipeline.training.graphs.padded_batches import NodeImage, pack


def metric(**changes):
    return Metric(5, **{"heads": 3, "projection": 4, "temperature": 8.0, **changes})


GENERATORS = [
    lambda: PairMLP(5),
    metric,
    lambda: metric(target_degree=2, spatial_term=True),
    lambda: CosineGraph(2),
    lambda: SpatialGraph(2),
]


@pytest.fixture(params=GENERATORS, ids=["pair_mlp", "metric", "metric_sparse", "cosine", "spatial"])
def generator(request):
    torch.manual_seed(0)
    return request.param().eval()


def test_the_published_generator_has_4993_weights():
    assert sum(p.numel() for p in PairMLP(69).parameters()) == 4993


def test_pair_logits_are_those_of_an_mlp_on_concatenated_pairs(batch):
    generator = PairMLP(5)
    x = batch.x[1]
    pairs = torch.cat([x.repeat_interleave(9, dim=0), x.repeat(9, 1)], dim=1)
    expected = generator.rest(generator.first(pairs)).reshape(9, 9)
    torch.testing.assert_close(generator.logits(batch.x)[1], expected)


def test_a_single_gumbel_draw_exceeds_one_half_with_chance_0_632():
    torch.manual_seed(0)
    relaxed = torch.sigmoid((torch.zeros(400_000) + standard_gumbel(torch.zeros(400_000))) / 0.3)
    assert (relaxed > 0.5).double().mean() == pytest.approx(1 - 1 / math.e, abs=0.003)


def test_the_pair_mlp_is_noisy_in_training_only_unless_asked(batch):
    generator = PairMLP(5)
    assert not torch.equal(generator(batch), generator(batch))
    assert torch.equal(generator.eval()(batch), generator(batch))
    stochastic = PairMLP(5, stochastic_evaluation=True).eval()
    assert not torch.equal(stochastic(batch), stochastic(batch))
    assert torch.equal(stochastic.scores(batch)[0], stochastic.scores(batch)[0])


def test_averaging_draws_lowers_the_noise(batch):
    torch.manual_seed(0)
    one, many = PairMLP(5), PairMLP(5, draws=20)
    many.load_state_dict(one.state_dict())
    spread = [torch.stack([g(batch) for _ in range(6)]).std(dim=0).max() for g in (one, many)]
    assert spread[1] < spread[0] / 2


def test_the_published_adjacency_is_symmetric_with_unit_diagonal(batch):
    adjacency = PairMLP(5)(batch).squeeze(1)
    assert torch.equal(adjacency, adjacency.transpose(1, 2))
    assert torch.equal(adjacency.diagonal(dim1=1, dim2=2), batch.mask.float())


def test_tau_falls_to_its_floor_and_is_stored():
    generator = PairMLP(5)
    generator.start_epoch(2)
    assert generator.tau == pytest.approx(0.98**2)
    generator.start_epoch(500)
    assert generator.tau == pytest.approx(0.1)
    copy = PairMLP(5)
    copy.load_state_dict(generator.state_dict())
    assert copy.tau == generator.tau


def test_metric_rows_are_shares_of_attention(batch):
    weights = metric()(batch)
    has_others = batch.pair_mask.any(dim=-1).unsqueeze(1).expand(-1, 3, -1)
    torch.testing.assert_close(weights.sum(dim=-1), has_others.float())
    assert not weights[~batch.pair_mask.unsqueeze(1).expand_as(weights)].any()


def test_metric_follows_its_formula():
    generator = metric(heads=1, projection=2, temperature=3.0)
    with torch.no_grad():
        generator.project.weight.copy_(torch.eye(5)[:2])
    x = torch.tensor([[1.0, 0, 9, 9, 9], [0, 2.0, 0, 0, 0], [1.0, 1.0, 5, 5, 5]])
    weights = generator(pack([NodeImage(x, torch.zeros(3, 2), 0)]))[0, 0]
    # Cosines of node 0: 0 with node 1, 1/sqrt(2) with node 2.
    share = 1 / (1 + math.exp(3 / math.sqrt(2)))
    torch.testing.assert_close(weights[0], torch.tensor([0.0, share, 1 - share]))


def test_sparsification_keeps_the_largest_and_passes_dense_gradients(batch):
    torch.manual_seed(0)
    dense, sparse = metric(), metric(target_degree=2)
    sparse.load_state_dict(dense.state_dict())
    weights = sparse(batch)
    assert ((weights > 1e-6).sum(dim=-1) <= 2).all()
    assert (weights[1] > 1e-6).sum(dim=-1).float().mean() == 2
    for generator in (dense, sparse):
        (generator(batch) * torch.linspace(0, 1, 9)).sum().backward()
    torch.testing.assert_close(sparse.project.weight.grad, dense.project.weight.grad)
    torch.testing.assert_close(sparse.eval()(batch), weights.detach())


def test_the_spatial_term_starts_absent_and_favours_the_near(batch):
    torch.manual_seed(0)
    plain, spatial = metric(), metric(spatial_term=True)
    spatial.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(plain(batch), spatial(batch))
    with torch.no_grad():
        spatial.distance_weight.fill_(100.0)
    coords = torch.tensor([[0.0, 0], [1, 0], [5, 0]])
    line = pack([NodeImage(torch.randn(3, 5), coords, 0)])
    assert (spatial(line)[0, :, 0, 1] > 0.99).all()


def test_single_nodes_have_finite_gradients(random_images):
    generator = metric()
    generator(pack(random_images([1, 1]))).sum().backward()
    assert torch.isfinite(generator.project.weight.grad).all()


def test_padding_changes_nothing(generator, images):
    together = pack(images)
    for position, image in enumerate(images):
        alone = pack([image])
        n = len(image.x)
        torch.testing.assert_close(generator(together)[position, :, :n, :n], generator(alone)[0])
        for part in (0, 1):
            torch.testing.assert_close(
                generator.scores(together)[part][position, :n, :n], generator.scores(alone)[part][0]
            )
        assert not generator(together)[position, :, n:].any()


def test_renumbering_the_nodes_renumbers_the_graph(generator, random_images):
    (image,) = random_images([8])
    # Distinct distances, so that no tie is broken by the number of a node.
    image = replace(image, coords=torch.rand(8, 2, generator=torch.Generator().manual_seed(4)))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    moved = pack([NodeImage(image.x[order], image.coords[order], 0)])
    expected = generator(pack([image]))[0][:, order][:, :, order]
    torch.testing.assert_close(generator(moved)[0], expected)


def test_scores_are_symmetric_within_0_and_1(generator, batch):
    scores, kept = generator.scores(batch)
    torch.testing.assert_close(scores, scores.transpose(1, 2))
    assert torch.equal(kept, kept.transpose(1, 2))
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert not scores[~batch.pair_mask].any()
    assert not kept[~batch.pair_mask].any()


def test_settling_keeps_the_graph_and_empties_the_weights(batch):
    torch.manual_seed(0)
    generator = metric()
    before = generator(batch)
    generator.settle()
    torch.testing.assert_close(generator(batch), before)
    assert not generator.project.weight.any()
    assert not generator.log_temperature.any()
    step = torch.randn_like(generator.project.weight)
    with torch.no_grad():
        generator.project.weight.copy_(step)
    torch.testing.assert_close(generator.directions(batch.x), shifted_directions(generator, batch.x, 0.1 * step))
    generator(batch).square().sum().backward()
    assert generator.project.weight.grad.abs().max() > 0
    moved = generator(batch)
    generator.settle()
    torch.testing.assert_close(generator(batch), moved)


def shifted_directions(generator, x, shift):
    projected = x @ (generator.settled_projection + shift).T
    return torch.nn.functional.normalize(projected.unflatten(-1, (3, -1)).transpose(1, 2), dim=-1)
