"""What a step of the training changes: network, optimiser, and the running mean of the weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.nuclei.learning.training_params import NucleiTrainingParams


class Learner:
    """A network in training.

    Parameters
    ----------
    network
        On its device.
    params
        Of the training.

    Attributes
    ----------
    network, optimiser
        The network and its AdamW.
    average
        The exponential mean of the network's weights and of the statistics of its
        normalisation, step by step; with ``average_decay`` 0 the network's own.
    """

    def __init__(self, network: Module, params: NucleiTrainingParams) -> None:
        self.network = network
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        )
        self._mean = AveragedModel(network, multi_avg_fn=_running_mean(params.average_decay), use_buffers=True)

    @property
    def average(self) -> Module:
        """Network of mean weights."""
        network: Module = self._mean.module
        return network

    def step(self, loss: Tensor, learning_rate: float) -> None:
        """Go down the gradient of ``loss`` and take the new weights into the mean."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self._mean.update_parameters(self.network)

    def state_dict(self) -> dict[str, Any]:
        """All that ``load_state_dict`` needs."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "mean": self._mean.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Stand where another learner of the same network stood."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._mean.load_state_dict(state["mean"])


def _running_mean(decay: float) -> Any:
    """Exponential mean that forgets the first weights sooner: of n before, the decay is at most (1 + n) / (10 + n).

    So does TensorFlow's ``ExponentialMovingAverage`` with its ``num_updates``.
    """

    def update(mean: Sequence[Tensor], current: Sequence[Tensor], n_before: Tensor | int) -> None:
        n = int(n_before)
        fold = get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
        fold(mean, current, n_before)

    return update
