import pytest
import torch
from cellpose.resnet_torch import CPnet

from pipeline.nuclei.engine import build_network
from pipeline.nuclei.folded import FoldedNetwork


def trained_looking(channels: tuple[int, ...], *, style: bool) -> CPnet:
    """A CPnet whose normalisations, biases and style layers are all in play."""
    torch.manual_seed(1)
    network = build_network(channels, style=style)
    for name, tensor in network.named_buffers():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.3)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data.normal_(0.2, 0.7)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("style", [False, True])
@pytest.mark.parametrize("channels", [(2, 4, 8, 8, 8), (2, 4, 6, 10)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 40, 56)])
def test_folding_changes_nothing(style: bool, channels: tuple[int, ...], shape: tuple[int, int, int]) -> None:
    network = trained_looking(channels, style=style)
    inputs = torch.rand(shape[0], 2, *shape[1:])
    expected = network(inputs)[0]
    assert expected.std() > 0.1
    torch.testing.assert_close(
        FoldedNetwork(network)(inputs), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())
    )


def test_the_network_itself_is_left_alone() -> None:
    network = trained_looking((2, 4, 8, 8, 8), style=False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    FoldedNetwork(network)(torch.rand(1, 2, 16, 16))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
