"""What is read from pooled patches: a linear model, and networks on the mean patch for what is not linear."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.classifiers.node_pooling import mean_and_sd
from pipeline.training.classifiers.pooled_linear import PooledLinear
from pipeline.training.graphs.image_batches import ImageBatch


class PooledPath(nn.Module):
    r"""Logits of a linear model of pooled nodes and the mean of those of networks, by their shares.

    .. math:: z_{pooled} = a\, z_{linear} + (1 - a)\, \tfrac{1}{K} \textstyle\sum_k m_k

    Parameters
    ----------
    networks
        Networks without a graph, any number.
    n_features, n_classes
        Node features and classes.
    """

    linear_kept: Tensor
    networks_kept: Tensor

    def __init__(self, networks: Sequence[ImageClassifier], n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * n_features, n_classes)
        self.networks = nn.ModuleList(networks)
        self.register_buffer("linear_kept", torch.ones(()))
        self.register_buffer("networks_kept", torch.zeros(()))

    @torch.no_grad()
    def keep(self, linear: PooledLinear, *, linear_kept: float, networks_kept: float) -> None:
        """Take the weights of the linear model, and how much counts of it and of the networks."""
        self.linear.weight.copy_(torch.from_numpy(linear.weight))
        self.linear.bias.copy_(torch.from_numpy(linear.bias))
        self.linear_kept.fill_(linear_kept)
        self.networks_kept.fill_(networks_kept)

    def forward(self, batch: ImageBatch) -> Tensor:
        """Logits (B, n_classes)."""
        logits: Tensor = self.linear_kept * self.linear(mean_and_sd(batch))
        if not self.networks_kept:
            return logits
        return logits + self.networks_kept * torch.stack([network(batch) for network in self.networks]).mean(dim=0)
