"""The graph-transformer GTP of torchmil."""

from typing import Self

from torch import Tensor
from torchmil.models import GTP
from torchmil.nn.relprop import Linear

from pipeline.training.classifiers.bags.bag_classifier import Bag, BagClassifier, embedding
from pipeline.training.methods.presets import MethodSpec


class GraphTransformerBags(BagClassifier):
    """Graph convolution over neighbours in space, min-cut pooling, transformer (GTP, Zheng et al. 2022).

    Classes: a head of n_classes outputs.  The auxiliary loss is that of min-cut pooling
    (Bianchi et al. 2020).  Adjacency is dense, hence ``dense_limit``.
    """

    def __init__(self, model: GTP, n_classes: int) -> None:
        super().__init__()
        self.model = model
        self.model.classifier = Linear(model.classifier.in_features, n_classes)
        # A bag's adjacency has its loops already.
        self.model.gcn_conv.add_self_loops = False

    @classmethod
    def from_spec(cls, spec: MethodSpec, n_features: int, n_classes: int) -> Self:
        """Width and dropout of the method; the rest as torchmil has it."""
        settings, features = spec.settings, embedding(spec, n_features)
        model = GTP((n_features,), att_dim=settings.hidden, dropout=settings.dropout, feat_ext=features)
        return cls(model, n_classes)

    def read(self, bag: Bag) -> tuple[Tensor, Tensor | float]:
        """Logits and the loss of pooling."""
        logits, losses = self.model(bag.x, bag.adjacency, return_loss=True)
        return logits.flatten(), sum(losses.values())
