import pytest
import torch
from torch import nn

from pipeline.nuclei.learning.learner import Learner
from pipeline.nuclei.learning.training_params import NucleiTrainingParams


def learner(decay: float) -> Learner:
    """One weight, at 0, which a loss of minus itself raises."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    return Learner(network, NucleiTrainingParams(weight_decay=0.0, average_decay=decay))


def weights_of(one: Learner, n_steps: int) -> tuple[list[float], list[float]]:
    """Weight and mean weight after each step; AdamW moves by the learning rate as long as the gradient stays."""
    own, mean = [], []
    for _ in range(n_steps):
        one.step(-one.network.weight.sum(), 1.0)
        own.append(one.network.weight.item())
        mean.append(one.average.weight.item())
    return own, mean


def test_the_mean_by_hand() -> None:
    """The first is copied; of n before, the decay is at most (1 + n) / (10 + n): 2 / 11, then 3 / 12, then 0.3."""
    own, mean = weights_of(learner(0.3), 4)
    assert own == pytest.approx([1, 2, 3, 4], rel=1e-4)
    second = 1 + 9 / 11
    third = second + (3 - second) * 9 / 12
    assert mean == pytest.approx([1, second, third, third + (4 - third) * 0.7], rel=1e-4)


def test_without_decay_the_mean_is_the_network_itself() -> None:
    own, mean = weights_of(learner(0.0), 5)
    assert mean == own


def test_statistics_of_the_normalisation_are_averaged_too() -> None:
    one = Learner(nn.BatchNorm1d(1), NucleiTrainingParams(average_decay=0.9))
    for value in (0.0, 10.0):
        one.step(one.network(torch.full((4, 1), value) + torch.arange(4.0)[:, None]).sum(), 0.1)
    assert 0 < one.average.running_mean.item() < one.network.running_mean.item()
