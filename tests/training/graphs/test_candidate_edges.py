from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.training.fitting.inference import effective_degree
from pipeline.training.graphs import candidate_edges as sparse_generators
from pipeline.training.graphs.candidate_edges import CandidateParams, SparseMetric, find_candidates, joined
from pipeline.training.graphs.generators import Metric
from pipeline.training.graphs.packed_batches import pack_nodes
from pipeline.training.graphs.padded_batches import NodeImage, pack

ALL_PAIRS = CandidateParams(similar=50, spatial=3)
SETTINGS = {"heads": 3, "projection": 4, "temperature": 8.0}


def generators(candidates=ALL_PAIRS, **changes):
    """A dense and a sparse generator with the same weights."""
    torch.manual_seed(0)
    dense = Metric(5, **{**SETTINGS, **changes})
    # Move every weight and buffer from its start, which may be 0.
    for state in dense.state_dict().values():
        state.add_(torch.randn_like(state), alpha=0.3)
    sparse = SparseMetric(5, **{**SETTINGS, **changes}, candidates=candidates)
    sparse.load_state_dict(dense.state_dict())
    return dense, sparse


def as_matrices(adjacency, sizes):
    """Adjacency of each image, (H, n, n), from weights of candidates."""
    n_heads, n_nodes, _ = adjacency.weights.shape
    whole = torch.zeros(n_heads, n_nodes, n_nodes)
    whole = whole.scatter_add(2, adjacency.candidates.neighbour.long(), adjacency.weights)
    ends = np.cumsum([0, *sizes])
    return [whole[:, a:b, a:b] for a, b in pairwise(ends)]


CHANGES = [{}, {"spatial_term": True}, {"target_degree": 2}, {"target_degree": 2, "spatial_term": True}]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("training", [True, False])
def test_all_pairs_as_candidates_give_the_dense_weights_and_gradients(changes, training, images):
    dense, sparse = (generator.train(training) for generator in generators(**changes))
    expected, graphs = dense(pack(images)), pack_nodes(images)
    adjacency = sparse.sparse_weights(graphs)
    found = as_matrices(adjacency, graphs.sizes)
    scale = torch.linspace(-1, 1, 9)
    losses = [torch.zeros(()), torch.zeros(())]
    for position, size in enumerate(graphs.sizes):
        wanted = expected[position, :, :size, :size]
        torch.testing.assert_close(found[position], wanted, atol=1e-5, rtol=1e-5)
        for place, matrix in enumerate((wanted, found[position])):
            losses[place] = losses[place] + (matrix.square() * scale[:size]).sum()
    for loss in losses:
        loss.backward()
    for ours, theirs in zip(sparse.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("changes", CHANGES)
def test_all_pairs_as_candidates_give_the_dense_scores(changes, images):
    dense, sparse = (generator.eval() for generator in generators(**changes))
    scores, kept = dense.scores(pack(images))
    for position, graph in enumerate(sparse.sparse_graphs(pack_nodes(images))):
        n_nodes = len(images[position].x)
        source, target = graph.edge_index
        assert len(source) == n_nodes * (n_nodes - 1)
        expected = scores[position, source, target].detach().numpy()
        np.testing.assert_allclose(graph.weight, expected, atol=1e-6)
        np.testing.assert_array_equal(graph.kept, kept[position, source, target].numpy())


def test_effective_degrees_are_those_of_the_dense_graph(images):
    dense, sparse = generators()
    batch = pack(images)
    expected = effective_degree(dense(batch), batch)[batch.mask]
    torch.testing.assert_close(sparse.sparse_weights(pack_nodes(images)).effective_degree(), expected)


def test_each_head_attends_to_its_most_similar_nodes_and_to_the_nearest(random_images):
    dense, sparse = generators(CandidateParams(similar=3, spatial=2))
    (image,) = random_images([12])
    image = replace(image, coords=torch.rand(12, 2, generator=torch.Generator().manual_seed(4)))
    adjacency = sparse.eval().sparse_weights(pack_nodes([image]))
    logits = dense.logits(pack([image]))[0]
    distance = torch.cdist(image.coords, image.coords).fill_diagonal_(torch.inf)
    expected = torch.zeros(3, 12, 12, dtype=torch.bool).scatter(2, logits.topk(3, dim=2).indices, value=True)
    expected |= torch.zeros(12, 12, dtype=torch.bool).scatter(1, distance.topk(2, largest=False).indices, value=True)
    (found,) = as_matrices(adjacency, [12])
    assert torch.equal(found > 0, expected)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(3, 12))
    torch.testing.assert_close(found, logits.masked_fill(~expected, -torch.inf).softmax(dim=2))


def test_no_neighbour_is_held_twice_and_none_is_the_node_itself(random_images):
    _, sparse = generators(CandidateParams(similar=6, spatial=5))
    candidates = sparse.sparse_weights(pack_nodes(random_images([15, 1, 4]))).candidates
    own = torch.arange(20).view(1, -1, 1)
    assert torch.equal(candidates.neighbour == own, ~candidates.filled)
    pattern, n_rows = candidates.pattern, 3 * 20
    edges = (pattern.column + n_rows * torch.arange(n_rows).unsqueeze(1))[candidates.filled.flatten(0, 1)]
    assert len(edges.unique()) == len(edges)


def test_packing_images_together_changes_nothing(random_images):
    _, sparse = generators(CandidateParams(similar=3, spatial=2))
    images = random_images([15, 1, 4, 2])
    together = as_matrices(sparse.sparse_weights(pack_nodes(images)), [15, 1, 4, 2])
    for image, expected in zip(images, together, strict=True):
        (alone,) = as_matrices(sparse.sparse_weights(pack_nodes([image])), [len(image.x)])
        torch.testing.assert_close(alone, expected)


def test_renumbering_the_nodes_renumbers_the_graph(random_images):
    _, sparse = generators(CandidateParams(similar=4, spatial=2), spatial_term=True)
    (image,) = random_images([70])
    image = replace(image, coords=torch.rand(70, 2, generator=torch.Generator().manual_seed(4)))
    order = torch.randperm(70, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(image.x[order], image.coords[order], 0)
    (plain,), (shuffled,) = (as_matrices(sparse.sparse_weights(pack_nodes([i])), [70]) for i in (image, moved))
    torch.testing.assert_close(shuffled, plain[:, order][:, :, order])


def test_single_nodes_have_no_edges_and_finite_gradients(random_images):
    _, sparse = generators()
    adjacency = sparse.sparse_weights(pack_nodes(random_images([1, 1])))
    adjacency.weights.sum().backward()
    assert not adjacency.candidates.filled.any()
    assert torch.isfinite(sparse.project.weight.grad).all()
    assert not adjacency.effective_degree().any()


def test_candidates_are_searched_anew_each_epoch_and_in_evaluation(random_images):
    _, sparse = generators(CandidateParams(similar=2, spatial=0))
    graphs = pack_nodes(random_images([40]))

    def candidates():
        return sparse.sparse_weights(graphs).candidates.neighbour

    first = candidates()
    with torch.no_grad():
        sparse.project.weight.copy_(torch.randn_like(sparse.project.weight))
    assert torch.equal(candidates(), first)
    in_evaluation = sparse.eval().sparse_weights(graphs).candidates.neighbour
    assert not torch.equal(in_evaluation, first)
    sparse.train().start_epoch(1)
    assert torch.equal(candidates(), in_evaluation)


def test_only_the_latest_candidates_are_remembered(random_images, monkeypatch):
    monkeypatch.setattr(sparse_generators, "NODES_REMEMBERED", 50)
    _, sparse = generators(CandidateParams(similar=2, spatial=0))
    graphs = [pack_nodes([image]) for image in random_images([30, 20, 30])]

    def candidates():
        return [sparse.sparse_weights(one).candidates.neighbour for one in graphs[::-1]]

    before = candidates()[::-1]
    with torch.no_grad():
        sparse.project.weight.copy_(torch.randn_like(sparse.project.weight))
    # In the order of sizes 30, 20, 30 backwards the last and the middle one still fit; the first search is forgotten.
    assert torch.equal(sparse.sparse_weights(graphs[0]).candidates.neighbour, before[0])
    assert torch.equal(sparse.sparse_weights(graphs[1]).candidates.neighbour, before[1])
    assert not torch.equal(sparse.sparse_weights(graphs[2]).candidates.neighbour, before[2])


def test_images_with_fewer_candidates_leave_slots_empty(random_images):
    params = CandidateParams(similar=4, spatial=0)
    few, many = (find_candidates(i.x.unsqueeze(0), i.coords, params) for i in random_images([3, 9]))
    both = joined([few, many])
    assert both.filled.sum(dim=2).tolist() == [[2] * 3 + [4] * 9]
    assert torch.equal(both.neighbour[:, 3:], many.neighbour + 3)


def test_the_search_of_a_large_image_holds_no_pair_of_all():
    generator = torch.Generator().manual_seed(0)
    image = NodeImage(torch.randn(3000, 5, generator=generator), torch.rand(3000, 2, generator=generator), 0)
    _, sparse = generators(CandidateParams(similar=8, spatial=4))
    sizes = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            sizes.extend(t.numel() for t in (result if isinstance(result, tuple) else [result]) if torch.is_tensor(t))
            return result

    with Watch():
        sparse.sparse_weights(pack_nodes([image])).weights.square().sum().backward()
    assert max(sizes) < 3000**2 / 4


@pytest.mark.parametrize("wrong", [{"similar": 0}, {"similar": 2000}, {"spatial": -1}])
def test_numbers_of_candidates_have_bounds(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CandidateParams(**wrong)
