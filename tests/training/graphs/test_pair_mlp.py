import math

import numpy as np
import pytest
import torch

from pipeline.errors import CohortError
from pipeline.training.graphs import pair_mlp
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.pair_mlp import PairMLP, standard_gumbel


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return PairMLP(5).eval()


def test_the_published_generator_has_4993_weights():
    assert sum(p.numel() for p in PairMLP(69).parameters()) == 4993


def test_pair_logits_are_those_of_an_mlp_on_concatenated_pairs(generator, batch):
    x = batch.x[1]
    pairs = torch.cat([x.repeat_interleave(9, dim=0), x.repeat(9, 1)], dim=1)
    expected = generator.rest(generator.first(pairs)).reshape(9, 9)
    torch.testing.assert_close(generator.logits(batch.x)[1], expected)


def test_a_single_gumbel_draw_exceeds_one_half_with_chance_0_632():
    torch.manual_seed(0)
    relaxed = torch.sigmoid((torch.zeros(400_000) + standard_gumbel(torch.zeros(400_000))) / 0.3)
    assert (relaxed > 0.5).double().mean() == pytest.approx(1 - 1 / math.e, abs=0.003)


def test_it_is_noisy_in_training_only_unless_asked(batch):
    generator = PairMLP(5)
    assert not torch.equal(generator(batch).weights, generator(batch).weights)
    assert torch.equal(generator.eval()(batch).weights, generator(batch).weights)
    stochastic = PairMLP(5, stochastic_evaluation=True).eval()
    assert not torch.equal(stochastic(batch).weights, stochastic(batch).weights)
    first, second = stochastic.learned_graphs(batch), stochastic.learned_graphs(batch)
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(first, second, strict=True))


def test_noise_is_drawn_in_single_precision_whatever_the_rest_is_in(batch, monkeypatch):
    drawn = []
    monkeypatch.setattr(pair_mlp, "standard_gumbel", lambda like: drawn.append(standard_gumbel(like)) or drawn[-1])
    with torch.autocast("cpu", torch.bfloat16):
        weights = PairMLP(5)(batch).weights
    (noise,) = drawn
    assert noise.dtype == weights.dtype == torch.float32
    # Bfloat16 has 8 bits: the same noise in it is another one.
    assert not torch.equal(noise, noise.bfloat16().float())


def test_averaging_draws_lowers_the_noise(batch):
    torch.manual_seed(0)
    one, many = PairMLP(5), PairMLP(5, draws=20)
    many.load_state_dict(one.state_dict())
    spread = [torch.stack([g(batch).weights for _ in range(6)]).std(dim=0).max() for g in (one, many)]
    assert spread[1] < spread[0] / 2


def test_the_published_adjacency_is_symmetric_with_unit_diagonal(batch):
    adjacency = PairMLP(5)(batch).weights.squeeze(1)
    assert torch.equal(adjacency, adjacency.transpose(1, 2))
    assert torch.equal(adjacency.diagonal(dim1=1, dim2=2), batch.mask.float())
    assert not adjacency[0, 6:].any()


def test_the_adjacency_is_the_mean_of_both_directions(generator, batch):
    generator.start_epoch(10)
    relaxed = torch.sigmoid(generator.logits(batch.x) / 0.98**10)
    weights = generator(batch).weights[1, 0]
    assert weights[2, 5].item() == pytest.approx((relaxed[1, 2, 5] + relaxed[1, 5, 2]).item() / 2)


def test_tau_falls_to_its_floor_and_is_stored():
    generator = PairMLP(5)
    generator.start_epoch(2)
    assert generator.tau == pytest.approx(0.98**2)
    generator.start_epoch(500)
    assert generator.tau == pytest.approx(0.1)
    copy = PairMLP(5)
    copy.load_state_dict(generator.state_dict())
    assert copy.tau == generator.tau


def test_learned_graphs_are_the_noise_free_adjacency_cut_at_one_half(generator, images):
    batch = PaddedBatch.of(images)
    weights = generator(batch).weights
    for place, (image, graph) in enumerate(zip(images, generator.learned_graphs(batch), strict=True)):
        n_nodes = len(image.x)
        assert graph.edge_index.shape == (2, n_nodes * (n_nodes - 1))
        source, target = graph.edge_index
        np.testing.assert_allclose(graph.weight, weights[place, 0, source, target].detach().numpy(), rtol=1e-6)
        np.testing.assert_array_equal(graph.kept, graph.weight > 0.5)


@pytest.mark.parametrize(("logit", "kept"), [(-0.01, False), (0.0, False), (0.01, True)])
def test_edges_are_what_exceeds_one_half(logit, kept, generator, batch):
    with torch.no_grad():
        generator.rest[-1].weight.zero_()
        generator.rest[-1].bias.fill_(logit)
    assert (generator.learned_graphs(batch)[1].kept == kept).all()


def test_padding_and_numbering_change_nothing(generator, images):
    together = generator(PaddedBatch.of(images)).weights
    for position, image in enumerate(images):
        n = len(image.x)
        alone = generator(PaddedBatch.of([image])).weights
        torch.testing.assert_close(together[position, :, :n, :n], alone[0])
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(images[0].x[order], images[0].coords[order], 0)
    expected = together[0, :, :6, :6][:, order][:, :, order]
    torch.testing.assert_close(generator(PaddedBatch.of([moved])).weights[0], expected)


def test_images_too_large_for_all_pairs_are_refused(generator, images):
    for call in (generator, generator.learned_graphs):
        with pytest.raises(CohortError, match=r"training.dense_limit; found 6, 9, 1, 4"):
            call(PackedBatch.of(images))
