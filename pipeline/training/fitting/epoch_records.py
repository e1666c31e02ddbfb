"""What a training keeps of its epochs: a row of ``history.csv`` for each, and the best weights."""

import copy
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

LEAST_GAIN = 1e-4
"""Least fall of the loss on ``select`` that counts as better, in nats."""


@dataclass(frozen=True)
class EpochRecord:
    """One row of ``history.csv``; NaN where a level or role is absent.

    Attributes
    ----------
    epoch
        Counted from 0.
    lower_loss, lower_accuracy, upper_loss, upper_accuracy
        Means over the epoch's training steps, with dropout and noise.
    select_loss, select_accuracy
        After the epoch, in evaluation mode.
    tau
        Temperature of the relaxation.
    mean_degree
        Effective number of neighbours of a patch (``Adjacency.effective_degree``), mean over
        the ``select`` images, or over ``structure`` or ``train`` where the former are absent.
    selected
        Whether the weights after this epoch are the ones kept.
    model, stage
        Which of several graph models, and whether it was ``search``ed or ``refit``; 0 and
        ``fit`` where one network is trained once.
    """

    epoch: int
    lower_loss: float = math.nan
    lower_accuracy: float = math.nan
    upper_loss: float = math.nan
    upper_accuracy: float = math.nan
    select_loss: float = math.nan
    select_accuracy: float = math.nan
    tau: float = math.nan
    mean_degree: float = math.nan
    selected: bool = False
    model: int = 0
    stage: str = "fit"


@dataclass
class Tally:
    """Sums of one level over an epoch; kept on the device, so that no step waits for another.

    Attributes
    ----------
    sums
        Of the losses and of the right answers, float64 (2,).
    images
        How many the epoch has.
    """

    sums: Tensor
    images: int = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch of logits (B, n_classes) and labels (B,) with its mean loss."""
        right = (logits.detach().argmax(dim=-1) == labels).sum()
        self.sums += torch.stack([loss.detach().double() * len(labels), right.double()])

    def means(self, sums: Tensor) -> tuple[float, float]:
        """Loss and accuracy over all images, from ``sums`` (2,) on the host; NaN without any."""
        loss, right = sums.tolist()
        return (loss / self.images, right / self.images) if self.images else (math.nan, math.nan)


@dataclass
class BestIterate:
    """The best iterate so far by loss on the ``select`` images."""

    loss: float = math.inf
    epoch: int = -1
    state: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, loss: float, epoch: int, model: nn.Module) -> None:
        """Take the weights of ``model`` if their loss is less by more than ``LEAST_GAIN``."""
        if loss < self.loss - LEAST_GAIN:
            self.loss, self.epoch, self.state = loss, epoch, copy.deepcopy(model.state_dict())
