from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch_geometric.nn import SimpleConv

from pipeline.training.classifiers.relational_gcn import RelationalGCN, RelationalLayer
from pipeline.training.fitting.hypergradients import neumann_gradient
from pipeline.training.graphs.adjacency import PairAdjacency
from pipeline.training.graphs.candidates import CandidateParams
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.message_passing import edge_kernels
from pipeline.training.graphs.metric_generator import Metric, MetricParams
from pipeline.training.graphs.pairs import AllPairs
from pipeline.training.methods.presets import METHODS

PARAMS = MetricParams(heads=2, projection=4, temperature=4.0)
ALL = CandidateParams(similar=20, spatial=4)
FEW = CandidateParams(similar=3, spatial=2)


def modules(candidates=ALL, kernels="own"):
    torch.manual_seed(0)
    generator = Metric(5, PARAMS, candidates, edge_kernels(kernels))
    return generator, RelationalGCN(5, 3, heads=2, width=8, layers=2, dropout=0.0)


def logits_of(both, batch):
    generator, classifier = both
    return classifier(batch, generator(batch))


def loss_of(both, batch):
    return cross_entropy(logits_of(both, batch), batch.labels)


def parameters(both):
    return [parameter for module in both for parameter in module.parameters()]


def test_a_layer_tells_self_from_neighbours():
    torch.manual_seed(0)
    layer = RelationalLayer(4, heads=1, dropout=0.0)
    swap = PairAdjacency(AllPairs(torch.ones(1, 2, dtype=torch.bool)), torch.tensor([[[[0.0, 1], [1, 0]]]]))
    h = torch.randn(1, 2, 4)
    # A sum of self and neighbour would give both nodes the same update.
    update = layer(h, swap) - h
    assert not torch.allclose(update[0, 0], update[0, 1])


def test_the_classifier_follows_its_formula(images):
    generator, classifier = modules()
    (image,) = images[1:2]
    weights = generator(PaddedBatch.of([image])).weights[0]
    h = image.x @ classifier.embed.weight.T + classifier.embed.bias
    for layer in classifier.layers:
        joined = torch.cat([h, weights[0] @ h, weights[1] @ h], dim=1)
        h = h + torch.relu(layer.norm(joined @ layer.linear.weight.T + layer.linear.bias))
    expected = classifier.head(h.mean(dim=0))
    torch.testing.assert_close(logits_of((generator, classifier), PaddedBatch.of([image]))[0], expected)


def test_all_pairs_as_candidates_give_the_dense_logits_and_gradients(images):
    both = modules()
    dense, sparse = PaddedBatch.of(images), PackedBatch.of(images)
    torch.testing.assert_close(logits_of(both, sparse), logits_of(both, dense), atol=1e-5, rtol=1e-5)
    expected, gradients = (torch.autograd.grad(loss_of(both, batch), parameters(both)) for batch in (dense, sparse))
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kernels", ["own", "pyg"])
def test_gradients_through_the_classifier_are_the_dense_ones(kernels, random_images):
    both = modules(kernels=kernels)
    upper, lower = random_images([5, 7], seed=1), random_images([6, 3], seed=2)
    dense, sparse = (
        neumann_gradient(
            lambda kind=kind: loss_of(both, kind.of(upper)),
            lambda kind=kind: loss_of(both, kind.of(lower)),
            list(both[0].parameters()),
            list(both[1].parameters()),
            step=0.1,
            terms=2,
        )
        for kind in (PaddedBatch, PackedBatch)
    )
    for a, b in zip(sparse, dense, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)


def test_a_layer_passes_the_messages_of_pytorch_geometric(random_images):
    generator, classifier = modules(FEW)
    batch = PackedBatch.of(random_images([9, 1, 14]))
    adjacency = generator(batch)
    h, layer = classifier.embed(batch.x), classifier.layers[0]
    parts, convolve = [h], SimpleConv(aggr="sum", flow="target_to_source")
    for head in range(2):
        filled = adjacency.pairs.mask[head]
        source = torch.arange(24).unsqueeze(1).expand_as(filled)[filled]
        edge_index = torch.stack([source, adjacency.pairs.candidates.neighbour[head][filled].long()])
        parts.append(convolve(h, edge_index, adjacency.weights[head][filled]))
    expected = h + torch.relu(layer.norm(layer.linear(torch.cat(parts, dim=1))))
    torch.testing.assert_close(layer(h, adjacency), expected)


def test_packing_and_numbering_change_no_logit(random_images):
    both = modules(FEW)
    images = random_images([9, 1, 40])
    images = [replace(i, coords=torch.rand(len(i.x), 2, generator=torch.Generator().manual_seed(9))) for i in images]
    together = logits_of(both, PackedBatch.of(images))
    alone = torch.cat([logits_of(both, PackedBatch.of([image])) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(images[2].x[order], images[2].coords[order], 0)
    torch.testing.assert_close(logits_of(both, PackedBatch.of([moved])), alone[2:], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "heads"), [("default", 4), ("joint", 4), ("cosine_graph", 1), ("spatial_graph", 1)])
def test_it_has_the_heads_of_its_generator(name, heads):
    classifier = RelationalGCN.from_spec(METHODS[name], 5, 2)
    assert classifier.layers[0].linear.in_features == 32 * (heads + 1)
    assert len(classifier.layers) == 2
    assert classifier.head[0].p == 0.1
