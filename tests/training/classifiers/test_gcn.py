import pytest
import torch

from pipeline.training.classifiers.gcn import PaperGCN, RelationalLayer, masked_mean, propagated, symmetric_normalised
from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.graphs.padded_batches import NodeImage, pack
from pipeline.training.methods.presets import METHODS


def test_the_published_variants_have_their_weights():
    a = PaperGCN(69, 3, dropout=0.2, jumping_knowledge=True)
    b = PaperGCN(69, 3, dropout=0.0, jumping_knowledge=False)
    assert [sum(p.numel() for p in model.parameters()) for model in (a, b)] == [984_451, 836_995]


def test_normalisation_of_a_path_of_three_with_loops():
    adjacency = torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    root = 6**-0.5
    expected = torch.tensor([[1 / 2, root, 0], [root, 1 / 3, root], [0, root, 1 / 2]])
    torch.testing.assert_close(symmetric_normalised(adjacency), expected)


def test_isolated_nodes_stay_zero():
    assert not symmetric_normalised(torch.zeros(2, 2)).any()


def test_propagation_before_or_after_the_layer_is_the_same():
    torch.manual_seed(0)
    linear, h, a = torch.nn.Linear(3, 7), torch.randn(4, 3), torch.rand(4, 4)
    torch.testing.assert_close(propagated(a, linear, h), a @ (h @ linear.weight.T) + linear.bias)


def test_the_mean_counts_real_nodes_only():
    h = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert masked_mean(h, torch.tensor([[True, True, False]])).item() == 2


def test_a_layer_tells_self_from_neighbours():
    torch.manual_seed(0)
    layer = RelationalLayer(4, heads=1, dropout=0.0)
    h, swap = torch.randn(1, 2, 4), torch.tensor([[[[0.0, 1], [1, 0]]]])
    # A sum of self and neighbour would give both nodes the same update.
    update = layer(h, swap) - h
    assert not torch.allclose(update[0, 0], update[0, 1])


@pytest.mark.parametrize("name", METHODS)
def test_padding_and_numbering_change_no_logit(name, images):
    torch.manual_seed(0)
    model = build_model(METHODS[name], 5, 2).eval()
    together = model(pack(images))
    torch.testing.assert_close(together, torch.cat([model(pack([image])) for image in images]), atol=2e-5, rtol=1e-4)
    image = images[0]
    image = NodeImage(image.x, torch.rand(6, 2, generator=torch.Generator().manual_seed(4)), 0)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(image.x[order], image.coords[order], 0)
    torch.testing.assert_close(model(pack([moved])), model(pack([image])), atol=2e-5, rtol=1e-4)
