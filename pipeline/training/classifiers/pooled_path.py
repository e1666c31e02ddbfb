"""What needs no learned graph: a linear model of pooled patches, and networks for what is not linear."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from pipeline.training.classifiers.image_classifier import ImageClassifier, ImageClassifiers
from pipeline.training.classifiers.node_pooling import mean_and_sd
from pipeline.training.classifiers.pooled_linear import PooledLinear
from pipeline.training.graphs.image_batches import ImageBatch


class PooledPath(nn.Module):
    r"""Logits of the mean of two opinions, of a linear model of pooled nodes and of networks by their mean logits.

    .. math:: z = \log \tfrac{1}{2} \big(\operatorname{softmax}(z_{linear})
        + \operatorname{softmax}(\tfrac{1}{K} \textstyle\sum_k m_k)\big)

    Each counts for one half: shares that are fitted to images held out do worse where images are
    few, as weights of forecasts do (Smith and Wallis 2009, doi:10.1111/j.1468-0084.2008.00541.x).
    Without networks the linear model stands alone.

    Parameters
    ----------
    networks
        Networks of one fixed graph, any number; it is made once for all of them.
    n_features, n_classes
        Node features and classes.
    """

    def __init__(self, networks: Sequence[ImageClassifier], n_features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * n_features, n_classes)
        self.networks = ImageClassifiers(networks)

    def keep(self, linear: PooledLinear) -> None:
        """Take the weights of the linear model."""
        linear.put_into(self.linear)

    def forward(self, batch: ImageBatch) -> Tensor:
        """Logits (B, n_classes)."""
        linear: Tensor = self.linear(mean_and_sd(batch))
        if not self.networks:
            return linear
        packed = batch.packed()
        adjacency = next(iter(self.networks)).adjacency(packed)
        votes = torch.stack([network.logits(packed, adjacency) for network in self.networks])
        return mean_opinion(linear, votes.mean(dim=0))


def mean_opinion(first: Tensor, second: Tensor) -> Tensor:
    """Logs of the mean of the probabilities that two sets of logits (n, n_classes) give."""
    halves = torch.stack([log_softmax(first, dim=-1), log_softmax(second, dim=-1)])
    return halves.logsumexp(dim=0) - halves.new_tensor(2.0).log()
