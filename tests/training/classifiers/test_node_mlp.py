import torch

from pipeline.training.classifiers.node_mlp import node_mlp


def test_two_layers_with_a_rectifier_each():
    torch.manual_seed(0)
    layers = node_mlp(5, 4, dropout=0.0)
    x = torch.randn(3, 5)
    hidden = (x @ layers[0].weight.T + layers[0].bias).clamp_min(0)
    torch.testing.assert_close(layers(x), (hidden @ layers[3].weight.T + layers[3].bias).clamp_min(0))


def test_units_are_dropped_between_the_layers():
    assert node_mlp(5, 4, dropout=0.3)[2].p == 0.3
