import numpy as np
import pytest
import torch

from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.classifiers.node_pooling import mean_and_sd
from pipeline.training.classifiers.pooled_linear import PooledLinear
from pipeline.training.classifiers.pooled_path import PooledPath
from pipeline.training.methods.presets import METHODS

LINEAR = PooledLinear(
    np.random.default_rng(0).normal(size=(2, 10)), np.array([0.5, -0.5]), "mean_sd", 1.0, np.zeros((0, 2)), 0.0
)


@pytest.fixture
def path():
    torch.manual_seed(0)
    return PooledPath([build_model(METHODS["mean_pool"], 5, 2) for _ in range(3)], 5, 2).eval()


@torch.no_grad()
def test_logits_are_so_much_of_the_linear_model_and_of_the_mean_of_the_networks(path, batch):
    path.keep(LINEAR, linear_kept=0.5, networks_kept=0.25)
    weight, bias = torch.from_numpy(LINEAR.weight).float(), torch.from_numpy(LINEAR.bias).float()
    linear = mean_and_sd(batch) @ weight.T + bias
    networks = sum(network(batch) for network in path.networks) / 3
    torch.testing.assert_close(path(batch), 0.5 * linear + 0.25 * networks)


@torch.no_grad()
def test_networks_that_are_not_kept_are_not_computed(path, batch):
    path.keep(LINEAR, linear_kept=1.0, networks_kept=0.0)
    for network in path.networks:
        network.forward = None
    torch.testing.assert_close(path(batch), path.linear(mean_and_sd(batch)))
