import pytest
import torch

torchmil = pytest.importorskip("torchmil")

from pipeline.training.classifiers.bags.bag_classifier import Bag  # noqa: E402
from pipeline.training.classifiers.bags.dsmil import DualStreamBags, of_classes  # noqa: E402
from pipeline.training.methods.presets import METHODS  # noqa: E402


def test_two_classes_have_one_member_and_three_have_three():
    for n_classes, members in ((2, 1), (3, 3)):
        assert len(DualStreamBags.from_spec(METHODS["dsmil"], 5, n_classes).members) == members


def test_one_logit_is_shared_out_so_that_softmax_is_its_sigmoid():
    logit = torch.tensor([0.7])
    torch.testing.assert_close(of_classes(logit).softmax(dim=0)[1], logit.sigmoid()[0])
    assert torch.equal(of_classes(torch.arange(3.0)), torch.arange(3.0))


def test_a_prediction_is_torchmils_mean_of_both_streams():
    torch.manual_seed(0)
    model = DualStreamBags.from_spec(METHODS["dsmil"], 5, 2).eval()
    x = torch.randn(1, 7, 5)
    expected = model.members[0].predict(model.features(x))
    logits, auxiliary = model.read(Bag(x, -1, None))
    torch.testing.assert_close(logits[1] - logits[0], expected[0])
    assert auxiliary == 0
