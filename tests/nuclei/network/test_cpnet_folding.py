from dataclasses import replace

import numpy as np
import pytest
import torch
from cellpose.resnet_torch import CPnet

from pipeline.errors import WeightsError
from pipeline.nuclei.learning.cellpose_cpnet import build_network, state_of
from pipeline.nuclei.network.cpnet_folding import Folded, fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.weights import Weights


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


def folded(network: CPnet, channels: tuple[int, ...], *, style: bool) -> Folded:
    return fold(Weights("t", "0" * 16, state_of(network), channels, "haematoxylin", 16.0, style))


@pytest.mark.parametrize("runs", ["torch", "openvino"])
@pytest.mark.parametrize("style", [False, True])
@pytest.mark.parametrize("channels", [(2, 4, 8, 8, 8), (2, 4, 6, 10)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 40, 56)])
def test_folding_changes_nothing(
    runs: str, style: bool, channels: tuple[int, ...], shape: tuple[int, int, int]
) -> None:
    network = trained_looking(channels, style=style)
    inputs = torch.rand(shape[0], 2, *shape[1:])
    expected = network(inputs)[0].numpy()
    assert expected.std() > 0.1
    rearranged = folded(network, channels, style=style)
    if runs == "torch":
        output = FoldedNetwork(rearranged)(inputs).numpy()
    else:
        pytest.importorskip("openvino")
        from pipeline.nuclei.network.network_runtime import OpenVinoRuntime

        output = OpenVinoRuntime(rearranged, threads=1)(inputs.numpy())
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4 * float(np.abs(expected).max()))


def test_the_network_itself_is_left_alone(tiny_weights: Weights) -> None:
    before = {name: values.copy() for name, values in tiny_weights.state.items()}
    FoldedNetwork(fold(tiny_weights))(torch.rand(1, 2, 16, 16))
    assert all(np.array_equal(values, before[name]) for name, values in tiny_weights.state.items())


def test_tensors_that_do_not_fit(tiny_weights: Weights) -> None:
    with pytest.raises(WeightsError, match=r"tiny: the tensors do not fit a CPnet of channels \(2, 8"):
        fold(replace(tiny_weights, channels=(2, 8, 8, 8, 8)))
    short = {name: values for name, values in tiny_weights.state.items() if name != "output.2.bias"}
    with pytest.raises(WeightsError, match=r"output\.2\.bias should be \(3,\), found none"):
        fold(replace(tiny_weights, state=short))
