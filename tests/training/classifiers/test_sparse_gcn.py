import pytest
import torch
from torch.nn.functional import cross_entropy
from torch_geometric.nn import SimpleConv

from pipeline.training.classifiers.gcn import RelationalGCN
from pipeline.training.classifiers.sparse_gcn import SparseRelationalGCN, relational_update
from pipeline.training.fitting.hypergradients import neumann_gradient
from pipeline.training.graphs.candidate_edges import CandidateParams, SparseMetric
from pipeline.training.graphs.generators import Metric
from pipeline.training.graphs.packed_batches import pack_nodes
from pipeline.training.graphs.padded_batches import NodeImage, pack

WIDTHS = {"heads": 2, "width": 8, "layers": 2, "dropout": 0.0}
METRIC = {"heads": 2, "projection": 4, "temperature": 4.0}


def pairs_of_modules(candidates):
    """(dense generator, dense classifier), (sparse generator, sparse classifier), with the same weights."""
    torch.manual_seed(0)
    dense = Metric(5, **METRIC), RelationalGCN(5, 3, **WIDTHS)
    sparse = SparseMetric(5, **METRIC, candidates=candidates), SparseRelationalGCN(5, 3, **WIDTHS)
    for ours, theirs in zip(sparse, dense, strict=True):
        ours.load_state_dict(theirs.state_dict())
    return dense, sparse


@pytest.fixture
def modules():
    return pairs_of_modules(CandidateParams(similar=20, spatial=4))


def dense_loss(modules, images):
    generator, classifier = modules
    batch = pack(images)
    logits = classifier(batch, generator(batch))
    return logits, cross_entropy(logits, batch.labels)


def sparse_loss(modules, images):
    generator, classifier = modules
    graphs = pack_nodes(images)
    logits = classifier.sparse_logits(graphs, generator.sparse_weights(graphs))
    return logits, cross_entropy(logits, graphs.labels)


def parameters(modules):
    return [parameter for module in modules for parameter in module.parameters()]


def test_all_pairs_as_candidates_give_the_dense_logits_and_gradients(modules, images):
    dense, sparse = modules
    (expected, plain), (found, ours) = dense_loss(dense, images), sparse_loss(sparse, images)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    plain.backward()
    ours.backward()
    for a, b in zip(parameters(sparse), parameters(dense), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4)


def test_gradients_through_the_classifier_are_the_dense_ones(modules, random_images):
    dense, sparse = modules
    upper, lower = random_images([5, 7], seed=1), random_images([6, 3], seed=2)
    found, expected = (
        neumann_gradient(
            lambda m=m, loss=loss: loss(m, upper)[1],
            lambda m=m, loss=loss: loss(m, lower)[1],
            list(m[0].parameters()),
            list(m[1].parameters()),
            step=0.1,
            terms=2,
        )
        for m, loss in ((sparse, sparse_loss), (dense, dense_loss))
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)


def test_a_layer_passes_the_messages_of_pytorch_geometric(random_images):
    _, (generator, classifier) = pairs_of_modules(CandidateParams(similar=3, spatial=2))
    graphs = pack_nodes(random_images([9, 1, 14]))
    adjacency = generator.sparse_weights(graphs)
    h, layer = classifier.embed(graphs.x), classifier.layers[0]
    parts, convolve = [h], SimpleConv(aggr="sum", flow="target_to_source")
    for head in range(2):
        filled = adjacency.candidates.filled[head]
        source = torch.arange(24).unsqueeze(1).expand_as(filled)[filled]
        edge_index = torch.stack([source, adjacency.candidates.neighbour[head][filled].long()])
        parts.append(convolve(h, edge_index, adjacency.weights[head][filled]))
    expected = h + torch.relu(layer.norm(layer.linear(torch.cat(parts, dim=1))))
    torch.testing.assert_close(relational_update(layer, h, adjacency), expected)


def test_packing_and_numbering_change_no_logit(random_images):
    _, sparse = pairs_of_modules(CandidateParams(similar=3, spatial=0))
    images = random_images([9, 1, 40])
    together = sparse_loss(sparse, images)[0]
    alone = torch.cat([sparse_loss(sparse, [image])[0] for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(images[2].x[order], images[2].coords[order], 0)
    torch.testing.assert_close(sparse_loss(sparse, [moved])[0], alone[2:], atol=1e-5, rtol=1e-4)
