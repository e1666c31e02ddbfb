import pytest
import torch

torchmil = pytest.importorskip("torchmil")

from pipeline.training.classifiers.bags.bag_classifier import Bag  # noqa: E402
from pipeline.training.classifiers.bags.transmil import TransformerBags  # noqa: E402
from pipeline.training.methods.presets import METHODS  # noqa: E402


def test_the_order_of_patches_counts():
    torch.manual_seed(0)
    model, x = TransformerBags.from_spec(METHODS["transmil"], 5, 2).eval(), torch.randn(1, 9, 5)
    forward, backward = (model.read(Bag(patches, 0, None))[0] for patches in (x, x.flip(1)))
    assert not torch.allclose(forward, backward)
