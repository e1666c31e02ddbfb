from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import WeightsError
from pipeline.nuclei.learning.cellpose_cpnet import build_network, load_network, state_of
from pipeline.nuclei.network.weights import Weights

CPU = torch.device("cpu")


def test_tensors_survive_the_way_through_weights(tiny_weights: Weights) -> None:
    state = state_of(load_network(tiny_weights, CPU))
    assert state.keys() == tiny_weights.state.keys()
    assert all(np.array_equal(values, tiny_weights.state[name]) for name, values in state.items())


def test_copies_are_not_changed_by_further_training(tiny_weights: Weights) -> None:
    network = load_network(tiny_weights, CPU)
    state = state_of(network)
    before = {name: values.copy() for name, values in state.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert all(np.array_equal(values, before[name]) for name, values in state.items())


def test_other_channels_do_not_fit(tiny_weights: Weights) -> None:
    with pytest.raises(WeightsError, match="do not fit a CPnet of channels"):
        load_network(replace(tiny_weights, channels=(2, 4, 8)), CPU)


def test_only_the_style_vector_sees_the_whole_field() -> None:
    """Without it a far corner of the picture changes nothing."""
    inputs = torch.zeros(1, 2, 96, 96)
    other = inputs.clone()
    other[:, :, -8:, -8:] = 5
    for style in (False, True):
        torch.manual_seed(0)
        network = build_network((2, 4, 8), style=style).eval()
        with torch.no_grad():
            near = [network(image)[0][0, :, :8, :8] for image in (inputs, other)]
        assert torch.equal(*near) != style
