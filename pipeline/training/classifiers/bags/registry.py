"""The models of torchmil by the name of their classifier; importing this imports torchmil."""

from collections.abc import Mapping

from pipeline.training.classifiers.bags.abmil import AttentionBags
from pipeline.training.classifiers.bags.bag_classifier import BagClassifier
from pipeline.training.classifiers.bags.clam_sb import ClusteredAttentionBags
from pipeline.training.classifiers.bags.dsmil import DualStreamBags
from pipeline.training.classifiers.bags.gtp import GraphTransformerBags
from pipeline.training.classifiers.bags.transmil import TransformerBags
from pipeline.training.methods.presets import MethodSpec

BAGS: Mapping[str, type[BagClassifier]] = {
    "abmil": AttentionBags,
    "clam_sb": ClusteredAttentionBags,
    "dsmil": DualStreamBags,
    "transmil": TransformerBags,
    "gtp": GraphTransformerBags,
}


def bag_classifier(spec: MethodSpec, n_features: int, n_classes: int) -> BagClassifier:
    """Classifier of ``spec`` with weights drawn from torch's global generator."""
    return BAGS[spec.classifier].from_spec(spec, n_features, n_classes)
