"""CLAM with one attention branch, of torchmil."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmil.models import CLAM_SB

from pipeline.training.classifiers.bags.bag_classifier import Bag, BagClassifier, embedding
from pipeline.training.methods.presets import MethodSpec


class PatchLoss(nn.Module):
    """Mean cross-entropy of patches, in the shapes that torchmil hands over."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """From logits (n, 2) and targets (n, 1), 0 or 1."""
        return cross_entropy(logits, targets.squeeze(1).long())


class ClusteredAttentionBags(BagClassifier):
    """Gated attention whose extremes are clustered while training (CLAM_SB, Lu et al. 2021).

    Classes: a head of n_classes outputs, and a clustering of patches for each class.  The
    auxiliary loss: patches of the most attention belong to the image's class, those of the
    least do not, and the most attended belong to no other class.  It is cross-entropy, the
    paper's other choice: the smooth SVM of torchmil 1.0.2 fails where logits are far apart.
    """

    def __init__(self, model: CLAM_SB, n_classes: int) -> None:
        super().__init__()
        width = model.pool.in_dim
        self.model = model
        self.model.classifier = nn.Linear(width, n_classes)
        self.model.inst_classifiers = nn.ModuleList(nn.Linear(width, 2) for _ in range(n_classes))
        self.model.inst_loss_fn = PatchLoss()

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method; the rest as torchmil has it."""
        features = embedding(spec, n_features)
        return cls(CLAM_SB((n_features,), att_dim=spec.settings.hidden, gated=True, feat_ext=features), n_classes)

    def read(self, bag: Bag) -> tuple[Tensor, Tensor | float]:
        """Logits and the loss of the clusterings."""
        logits, attention, embedded = self.model(bag.x, return_att=True, return_emb=True)
        if not self.training:
            return logits.squeeze(0), 0.0
        losses = [self._clustering(c, bag.label, attention[0], embedded[0]) for c in range(logits.shape[-1])]
        return logits.squeeze(0), torch.stack(losses).sum()

    def _clustering(self, class_: int, label: int, attention: Tensor, embedded: Tensor) -> Tensor:
        """Loss of one class's clustering of the patches of an image."""
        judge = self.model.inst_eval if class_ == label else self.model.inst_eval_out
        loss: Tensor = judge(attention, embedded, self.model.inst_classifiers[class_])[0]
        return loss
