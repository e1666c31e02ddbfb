import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from pipeline.training.graphs.candidates import CandidateParams
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.metric_generator import Metric, MetricParams

SMALL = MetricParams(heads=3, projection=4, temperature=8.0)
ALL_PAIRS = CandidateParams(similar=50, spatial=3)
CHANGES = [{}, {"spatial_term": True}, {"target_degree": 2}, {"target_degree": 2, "spatial_term": True}]


def metric(candidates=ALL_PAIRS, **changes):
    return Metric(5, replace(SMALL, **changes), candidates)


def moved_metric(candidates=ALL_PAIRS, **changes):
    """Every weight and buffer away from its start, which may be 0."""
    torch.manual_seed(0)
    generator = metric(candidates, **changes)
    for state in generator.state_dict().values():
        state.add_(torch.randn_like(state), alpha=0.3)
    return generator


def as_matrices(adjacency, sizes):
    """Adjacency of each image, (H, n, n), from weights of candidates."""
    n_heads, n_nodes, _ = adjacency.weights.shape
    whole = torch.zeros(n_heads, n_nodes, n_nodes)
    whole = whole.scatter_add(2, adjacency.pairs.candidates.neighbour.long(), adjacency.weights)
    return [whole[:, a:b, a:b] for a, b in pairwise(np.cumsum([0, *sizes]))]


@pytest.fixture(params=CHANGES, ids=["plain", "spatial", "sparse", "sparse spatial"])
def changes(request):
    return request.param


def test_rows_are_shares_of_attention(batch):
    weights = metric()(batch).weights
    has_others = batch.all_pairs.mask.any(dim=-1).expand(-1, 3, -1)
    torch.testing.assert_close(weights.sum(dim=-1), has_others.float())
    assert not weights[~batch.all_pairs.mask.expand_as(weights)].any()


def test_it_follows_its_formula():
    generator = Metric(5, MetricParams(heads=1, projection=2, temperature=3.0))
    with torch.no_grad():
        generator.project.weight.copy_(torch.eye(5)[:2])
    x = torch.tensor([[1.0, 0, 9, 9, 9], [0, 2.0, 0, 0, 0], [1.0, 1.0, 5, 5, 5]])
    weights = generator(PaddedBatch.of([NodeImage(x, torch.zeros(3, 2), 0)])).weights[0, 0]
    # Cosines of node 0: 0 with node 1, 1/sqrt(2) with node 2.
    share = 1 / (1 + math.exp(3 / math.sqrt(2)))
    torch.testing.assert_close(weights[0], torch.tensor([0.0, share, 1 - share]))


def test_the_spatial_term_follows_its_formula():
    generator = Metric(1, MetricParams(heads=1, projection=1, temperature=1.0, spatial_term=True))
    with torch.no_grad():
        generator.distance_weight.fill_(2.0)
    coords = torch.tensor([[0.0, 0], [1, 0], [0, 3]])
    weights = generator(PaddedBatch.of([NodeImage(torch.ones(3, 1), coords, 0)])).weights[0, 0]
    # All cosines are 1; exp(-2 log(1 + r)) is 1/4 at distance 1 and 1/16 at distance 3.
    torch.testing.assert_close(weights[0], torch.tensor([0, 4 / 5, 1 / 5]))


def test_sparsification_keeps_the_largest_and_passes_dense_gradients(batch):
    torch.manual_seed(0)
    dense, sparse = metric(), metric(target_degree=2)
    sparse.load_state_dict(dense.state_dict())
    weights = sparse(batch).weights
    assert ((weights > 1e-6).sum(dim=-1) <= 2).all()
    assert (weights[1] > 1e-6).sum(dim=-1).float().mean() == 2
    for generator in (dense, sparse):
        (generator(batch).weights * torch.linspace(0, 1, 9)).sum().backward()
    torch.testing.assert_close(sparse.project.weight.grad, dense.project.weight.grad)
    torch.testing.assert_close(sparse.eval()(batch).weights, weights.detach())


def test_a_target_of_all_others_keeps_all(batch):
    torch.manual_seed(0)
    plain, every = metric(), metric(target_degree=8)
    every.load_state_dict(plain.state_dict())
    assert torch.equal(every(batch).weights, plain(batch).weights)
    assert not torch.equal(metric(target_degree=7)(batch).weights, plain(batch).weights)


def test_the_spatial_term_starts_absent_and_favours_the_near(batch):
    torch.manual_seed(0)
    plain, spatial = metric(), metric(spatial_term=True)
    spatial.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(plain(batch).weights, spatial(batch).weights)
    with torch.no_grad():
        spatial.distance_weight.fill_(100.0)
    coords = torch.tensor([[0.0, 0], [1, 0], [5, 0]])
    line = PaddedBatch.of([NodeImage(torch.randn(3, 5), coords, 0)])
    assert (spatial(line).weights[0, :, 0, 1] > 0.99).all()


@pytest.mark.parametrize("kind", [PaddedBatch, PackedBatch])
def test_single_nodes_have_no_edges_and_finite_gradients(kind, random_images):
    generator = metric()
    adjacency = generator(kind.of(random_images([1, 1])))
    adjacency.weights.sum().backward()
    assert not adjacency.weights.any()
    assert adjacency.effective_degree().tolist() == [0, 0]
    assert torch.isfinite(generator.project.weight.grad).all()


@pytest.mark.parametrize("training", [True, False])
def test_all_pairs_as_candidates_give_the_dense_weights_and_gradients(changes, training, images):
    generator = moved_metric(**changes).train(training)
    padded, packed = generator(PaddedBatch.of(images)), generator(PackedBatch.of(images))
    matrices = as_matrices(packed, [6, 9, 1, 4])
    scale = torch.linspace(-1, 1, 9)
    losses = [torch.zeros(()), torch.zeros(())]
    for position, (image, matrix) in enumerate(zip(images, matrices, strict=True)):
        size = len(image.x)
        wanted = padded.weights[position, :, :size, :size]
        torch.testing.assert_close(matrix, wanted, atol=1e-5, rtol=1e-5)
        for place, values in enumerate((wanted, matrix)):
            losses[place] = losses[place] + (values.square() * scale[:size]).sum()
    ours, theirs = (torch.autograd.grad(loss, [*generator.parameters()]) for loss in losses)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(packed.effective_degree(), padded.effective_degree())


def test_the_penalty_of_candidates_is_that_of_all_pairs(random_images):
    generator, images = moved_metric(), random_images([7, 7])
    dense, sparse = generator(PaddedBatch.of(images)), generator(PackedBatch.of(images))
    torch.testing.assert_close(sparse.mean_weight(), dense.mean_weight())


def test_all_pairs_as_candidates_give_the_dense_graphs(changes, images):
    generator = moved_metric(**changes).eval()
    dense, sparse = (generator.learned_graphs(kind.of(images)) for kind in (PaddedBatch, PackedBatch))
    for a, b in zip(sparse, dense, strict=True):
        np.testing.assert_array_equal(a.edge_index, b.edge_index)
        np.testing.assert_allclose(a.weight, b.weight, atol=1e-6)
        np.testing.assert_array_equal(a.kept, b.kept)


def test_learned_graphs_are_symmetric_shares_before_sparsification(batch):
    generator = moved_metric(target_degree=2).eval()
    _, logits = generator.logits(batch)
    share = logits.softmax(dim=-1)[1].mean(dim=0).detach().numpy()
    largest = (logits[1] >= logits[1].topk(2, dim=-1).values[..., -1:]).any(dim=0).numpy()
    graph = generator.learned_graphs(batch)[1]
    source, target = graph.edge_index
    np.testing.assert_allclose(graph.weight, (share[source, target] + share[target, source]) / 2, rtol=1e-5)
    np.testing.assert_array_equal(graph.kept, largest[source, target] | largest[target, source])


def test_candidates_compete_among_themselves(random_images):
    generator = moved_metric(CandidateParams(similar=3, spatial=2)).eval()
    (image,) = random_images([12])
    _, logits = generator.logits(PaddedBatch.of([image]))
    (matrix,) = as_matrices(generator(PackedBatch.of([image])), [12])
    torch.testing.assert_close(matrix.sum(dim=2), torch.ones(3, 12))
    torch.testing.assert_close(matrix, logits[0].masked_fill(matrix == 0, -torch.inf).softmax(dim=2))


@pytest.mark.parametrize("kind", [PaddedBatch, PackedBatch])
def test_batches_and_numbering_change_nothing(kind, changes, random_images):
    generator = moved_metric(CandidateParams(similar=4, spatial=2), **changes).eval()
    images = [
        replace(image, coords=torch.rand(len(image.x), 2, generator=torch.Generator().manual_seed(4)))
        for image in random_images([15, 1, 4, 2])
    ]
    h = torch.randn(22, 3, generator=torch.Generator().manual_seed(1)).split([15, 1, 4, 2])

    def messages(images, h):
        values = kind.of([replace(image, x=part) for image, part in zip(images, h, strict=True)])
        sent = generator(kind.of(images)).messages(values.x)
        return sent[values.mask] if kind is PaddedBatch else sent

    together = messages(images, h).split([15, 1, 4, 2])
    for image, part, expected in zip(images, h, together, strict=True):
        if generator.target_degree == 0 or len(image.x) > 3:
            torch.testing.assert_close(messages([image], [part]), expected, atol=1e-5, rtol=1e-5)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(images[0].x[order], images[0].coords[order], 0)
    torch.testing.assert_close(messages([moved], [h[0][order]]), together[0][order], atol=1e-5, rtol=1e-5)


def test_candidates_are_searched_anew_each_epoch_and_in_evaluation(random_images):
    generator = moved_metric(CandidateParams(similar=2, spatial=0))
    batch = PackedBatch.of(random_images([40]))

    def candidates():
        return generator(batch).pairs.candidates.neighbour

    first = candidates()
    with torch.no_grad():
        generator.project.weight.copy_(torch.randn_like(generator.project.weight))
    assert torch.equal(candidates(), first)
    generator.start_epoch(1)
    second = candidates()
    assert not torch.equal(second, first)
    generator.eval()
    assert torch.equal(candidates(), second)
    with torch.no_grad():
        generator.project.weight.copy_(torch.randn_like(generator.project.weight))
    assert not torch.equal(candidates(), second)


def test_evaluation_in_between_forgets_the_candidates_of_training(random_images):
    generator = moved_metric(CandidateParams(similar=2, spatial=0))
    batch = PackedBatch.of(random_images([40]))
    first = generator(batch).pairs.candidates.neighbour
    with torch.no_grad():
        generator.project.weight.copy_(torch.randn_like(generator.project.weight))
    generator.eval().train()
    assert not torch.equal(generator(batch).pairs.candidates.neighbour, first)


def test_a_large_image_holds_no_pair_of_all():
    drawn = torch.Generator().manual_seed(0)
    image = NodeImage(torch.randn(3000, 5, generator=drawn), torch.rand(3000, 2, generator=drawn), 0)
    generator = moved_metric(CandidateParams(similar=8, spatial=4))
    sizes = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            sizes.extend(t.numel() for t in (result if isinstance(result, tuple) else [result]) if torch.is_tensor(t))
            return result

    with Watch():
        generator(PackedBatch.of([image])).weights.square().sum().backward()
    assert max(sizes) < 3000**2 / 4


def test_gradients_are_those_of_finite_differences(images):
    generator = moved_metric(CandidateParams(similar=2, spatial=1), spatial_term=True).double()
    image = NodeImage(images[1].x.double(), images[1].coords.double(), 0)
    names = [name for name, _ in generator.named_parameters()]
    for kind in (PaddedBatch, PackedBatch):
        batch = kind.of([image])
        h = torch.linspace(-1, 1, 18, dtype=torch.float64).view(*batch.x.shape[:-1], 2)

        def loss(*weights, batch=batch, h=h):
            state = dict(zip(names, weights, strict=True))
            return torch.func.functional_call(generator, state, (batch,)).messages(h).square().sum()

        assert torch.autograd.gradcheck(loss, [*generator.parameters()])


def test_settling_keeps_the_graph_and_empties_the_weights(batch):
    torch.manual_seed(0)
    generator = metric()
    before = generator(batch).weights
    generator.settle()
    torch.testing.assert_close(generator(batch).weights, before)
    assert not generator.project.weight.any()
    assert not generator.log_temperature.any()
    step = torch.randn_like(generator.project.weight)
    with torch.no_grad():
        generator.project.weight.copy_(step)
    torch.testing.assert_close(generator.directions(batch.x), shifted_directions(generator, batch.x, 0.1 * step))
    generator(batch).weights.square().sum().backward()
    assert generator.project.weight.grad.abs().max() > 0
    moved = generator(batch).weights
    generator.settle()
    torch.testing.assert_close(generator(batch).weights, moved)


def shifted_directions(generator, x, shift):
    projected = x @ (generator.settled_projection + shift).T
    return normalize(projected.unflatten(-1, (3, -1)).transpose(1, 2), dim=-1)
