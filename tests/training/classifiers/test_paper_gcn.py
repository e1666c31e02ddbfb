import pytest
import torch
from torch_geometric.nn import DenseGCNConv, GCNConv
from torch_geometric.utils import dense_to_sparse

from pipeline.training.classifiers.paper_gcn import PAPER_WIDTHS, PaperGCN
from pipeline.training.graphs.image_batches import PaddedBatch
from pipeline.training.graphs.pair_mlp import PairMLP
from pipeline.training.methods.presets import METHODS


@pytest.fixture
def published(images):
    """Classifier of variant A, a batch and its adjacency, with a diagonal of 1."""
    torch.manual_seed(0)
    batch = PaddedBatch.of(images)
    return PaperGCN(5, 2, dropout=0.0, jumping_knowledge=True), batch, PairMLP(5)(batch)


def test_the_published_variants_have_their_weights():
    a, b = (PaperGCN.from_spec(METHODS[name], 69, 3) for name in ("paper_a", "paper_b"))
    assert [sum(p.numel() for p in model.parameters()) for model in (a, b)] == [984_451, 836_995]
    assert (a.dropout.p, b.dropout.p) == (0.2, 0)


def textbook_readouts(model, x, adjacency):
    """Mean of each layer's nodes in one image: ReLU of LayerNorm of D^-1/2 A D^-1/2 X W + b."""
    root = torch.diag(adjacency.sum(dim=1).rsqrt())
    readouts = []
    for linear, norm in zip(model.linears, model.norms, strict=True):
        x = torch.relu(norm(root @ adjacency @ root @ x @ linear.weight.T + linear.bias))
        readouts.append(x.mean(dim=0))
    return readouts


def test_logits_follow_the_published_formula(published, images):
    model, batch, adjacency = published
    logits = model(batch, adjacency)
    for place, image in enumerate(images):
        n = len(image.x)
        readouts = textbook_readouts(model, image.x, adjacency.weights[place, 0, :n, :n])
        torch.testing.assert_close(logits[place], model.head(torch.cat(readouts)), atol=1e-5, rtol=1e-4)


def test_variant_b_reads_the_last_layer_alone(published):
    _, batch, adjacency = published
    model = PaperGCN(5, 2, dropout=0.0, jumping_knowledge=False)
    readouts = textbook_readouts(model, batch.x[1], adjacency.weights[1, 0])
    torch.testing.assert_close(model(batch, adjacency)[1], model.head(readouts[-1]), atol=1e-5, rtol=1e-4)


def layers_of(conv, model):
    """Layers of PyTorch Geometric with the weights of ``model``."""
    layers = []
    for width, linear in zip((5, *PAPER_WIDTHS), model.linears, strict=False):
        layer = conv(width, linear.out_features)
        layer.lin.weight, layer.bias = linear.weight, linear.bias
        layers.append(layer)
    return layers


def test_layers_and_gradients_are_those_of_the_dense_layer_of_pytorch_geometric(published):
    model, batch, adjacency = published
    h, expected, weights = batch.x, batch.x, adjacency.weights.squeeze(1)
    propagation = adjacency.symmetrically_normalised()
    for linear, norm, layer in zip(model.linears, model.norms, layers_of(DenseGCNConv, model), strict=True):
        h = torch.relu(norm(linear(propagation.messages(h))))
        expected = torch.relu(norm(layer(expected, weights, batch.mask, add_loop=False)))
    torch.testing.assert_close(h[batch.mask], expected[batch.mask], atol=1e-5, rtol=1e-4)
    scale = torch.linspace(-1, 1, 1024)
    ours, theirs = (
        torch.autograd.grad((nodes[batch.mask] * scale).mean(), [adjacency.weights, *model.linears.parameters()])
        for nodes in (h, expected)
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)


def test_layers_are_those_of_the_sparse_layer_of_pytorch_geometric(published):
    model, batch, adjacency = published
    edge_index, edge_weight = dense_to_sparse(adjacency.weights[1, 0])
    convolve = layers_of(lambda a, b: GCNConv(a, b, add_self_loops=False), model)[0]
    expected = convolve(batch.x[1], edge_index, edge_weight)
    messages = adjacency.symmetrically_normalised().messages(batch.x)
    torch.testing.assert_close(model.linears[0](messages)[1], expected)
