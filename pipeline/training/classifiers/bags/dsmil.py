"""DSMIL of torchmil."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmil.models import DSMIL

from pipeline.training.classifiers.bags.bag_classifier import Bag, BagClassifier, embedding
from pipeline.training.methods.presets import MethodSpec


class DualStreamBags(BagClassifier):
    """The most telling patch, and attention to what is like it (DSMIL, Li et al. 2021).

    Classes: one against the rest, since a bag has one critical patch: a member for each class,
    whose logits meet in one softmax, and one member for two classes.  The auxiliary loss is
    the cross-entropy of the critical patches; a prediction is the mean of both streams.
    """

    def __init__(self, features: nn.Module, members: list[DSMIL]) -> None:
        super().__init__()
        self.features = features
        self.members = nn.ModuleList(members)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method; the rest as torchmil has it."""
        width = spec.settings.hidden
        members = [DSMIL((width,), att_dim=width) for _ in range(n_classes if n_classes > 2 else 1)]
        return cls(embedding(spec, n_features), members)

    def read(self, bag: Bag) -> tuple[Tensor, Tensor | float]:
        """Logits and the loss of the critical patches."""
        embedded = self.features(bag.x)
        read = [member(embedded, return_inst_pred=True) for member in self.members]
        attended = of_classes(torch.cat([logit for logit, _ in read]))
        critical = of_classes(torch.stack([patches.max() for _, patches in read]))
        if not self.training:
            return (attended + critical) / 2, 0.0
        label = torch.tensor(bag.label, device=critical.device)
        return attended, cross_entropy(critical, label)


def of_classes(logits: Tensor) -> Tensor:
    """Logits (n_classes,) from one a class, or from that of the second of two."""
    return torch.cat([-logits, logits]) / 2 if len(logits) == 1 else logits
