"""ABMIL of torchmil."""

from typing import Self

from torch import Tensor, nn
from torchmil.models import ABMIL

from pipeline.training.classifiers.bags.bag_classifier import Bag, BagClassifier, embedding
from pipeline.training.methods.presets import MethodSpec


class AttentionBags(BagClassifier):
    """Gated attention over patches (Ilse et al. 2018).  Classes: a head of n_classes outputs."""

    def __init__(self, model: ABMIL, n_classes: int) -> None:
        super().__init__()
        self.model = model
        self.model.classifier = nn.Linear(model.pool.in_dim, n_classes)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method; the rest as torchmil has it."""
        features = embedding(spec, n_features)
        return cls(ABMIL((n_features,), att_dim=spec.settings.hidden, gated=True, feat_ext=features), n_classes)

    def read(self, bag: Bag) -> tuple[Tensor, float]:
        """Logits; there is no auxiliary loss."""
        return self.model(bag.x).squeeze(0), 0.0
