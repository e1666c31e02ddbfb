import numpy as np
import pytest
import torch

from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.classifiers.node_pooling import mean_and_sd
from pipeline.training.classifiers.pooled_linear import PooledLinear
from pipeline.training.classifiers.pooled_path import PooledPath, mean_opinion
from pipeline.training.methods.presets import METHODS

LINEAR = PooledLinear(
    np.random.default_rng(0).normal(size=(2, 10)), np.array([0.5, -0.5]), "mean_sd", 1.0, np.zeros((0, 2)), 0.0
)


def path_of(n_networks: int) -> PooledPath:
    torch.manual_seed(0)
    path = PooledPath([build_model(METHODS["cosine_graph"], 5, 2) for _ in range(n_networks)], 5, 2).eval()
    path.keep(LINEAR)
    return path


@torch.no_grad()
def test_the_linear_model_and_the_networks_have_half_of_the_probability_each(batch):
    path = path_of(3)
    weight, bias = torch.from_numpy(LINEAR.weight).float(), torch.from_numpy(LINEAR.bias).float()
    linear = (mean_and_sd(batch) @ weight.T + bias).softmax(dim=1)
    networks = (sum(network(batch.packed()) for network in path.networks) / 3).softmax(dim=1)
    torch.testing.assert_close(path(batch).softmax(dim=1), (linear + networks) / 2)
    assert not torch.allclose(linear, networks, atol=0.01)


@torch.no_grad()
def test_without_networks_the_linear_model_stands_alone(batch):
    path = path_of(0)
    torch.testing.assert_close(path(batch), path.linear(mean_and_sd(batch)))


@torch.no_grad()
def test_the_fixed_graph_is_made_once_for_all_networks(batch, monkeypatch):
    path = path_of(3)
    made = []
    kind = type(path.networks[0].generator)
    plain = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, told: made.append(told) or plain(self, told))
    path(batch)
    assert len(made) == 1


def test_two_sure_opinions_that_disagree_make_an_even_one_with_finite_gradients():
    first = torch.tensor([[200.0, -200.0]], requires_grad=True)
    told = mean_opinion(first, torch.tensor([[-200.0, 200.0]]))
    assert told.softmax(dim=1)[0].tolist() == pytest.approx([0.5, 0.5])
    told[0, 0].backward()
    assert torch.isfinite(first.grad).all()
