"""TransMIL of torchmil."""

import math
from typing import Self

from torch import Tensor, nn
from torchmil.models import TransMIL

from pipeline.training.classifiers.bags.bag_classifier import Bag, BagClassifier, embedding
from pipeline.training.methods.presets import MethodSpec


class TransformerBags(BagClassifier):
    """Nystroem transformer layers around a pyramid of convolutions (TransMIL, Shao et al. 2021).

    Classes: a head of n_classes outputs.  As published, the convolutions see patches in the
    order of the feature file, laid out as a square, which is not where they are in the tissue.
    A bag has no more landmarks than tokens: attention in small bags is whole, not approximate,
    and needs no padding, which torchmil does not mask.
    """

    def __init__(self, model: TransMIL, n_classes: int) -> None:
        super().__init__()
        self.model = model
        self.model.classifier = nn.Linear(model.classifier.in_features, n_classes)

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method; the rest as torchmil has it."""
        settings, features = spec.settings, embedding(spec, n_features)
        return cls(TransMIL((n_features,), settings.hidden, dropout=settings.dropout, feat_ext=features), n_classes)

    def read(self, bag: Bag) -> tuple[Tensor, float]:
        """Logits; there is no auxiliary loss."""
        n_tokens = math.ceil(math.sqrt(bag.x.shape[1])) ** 2 + 1
        for layer in self.model.layers:
            layer.att_module.n_landmarks = min(self.model.n_landmarks, n_tokens)
        return self.model(bag.x).squeeze(0), 0.0
