import pytest
import torch

torchmil = pytest.importorskip("torchmil")

from pipeline.training.classifiers.bags.bag_classifier import Bag  # noqa: E402
from pipeline.training.classifiers.bags.clam_sb import ClusteredAttentionBags, PatchLoss  # noqa: E402
from pipeline.training.methods.presets import METHODS  # noqa: E402


def made(n_classes):
    torch.manual_seed(0)
    return ClusteredAttentionBags.from_spec(METHODS["clam_sb"], 5, n_classes)


@pytest.mark.parametrize("label", [0, 1])
def test_with_two_classes_the_auxiliary_loss_is_torchmils(label):
    model, x = made(2).train(), torch.randn(1, 40, 5)
    model.model.feat_ext.eval()
    _, auxiliary = model.read(Bag(x, label, None))
    _, attention, embedded = model.model(x, return_att=True, return_emb=True)
    torch.testing.assert_close(auxiliary, model.model.compute_inst_loss(attention, embedded, torch.tensor([label])))


def test_each_class_has_a_clustering():
    assert len(made(4).model.inst_classifiers) == 4


def test_patches_that_are_judged_with_confidence_have_a_loss():
    model = made(2).train()
    with torch.no_grad():
        for clustering in model.model.inst_classifiers:
            clustering.weight.mul_(1e6)
    _, auxiliary = model.read(Bag(torch.randn(1, 40, 5), 0, None))
    assert torch.isfinite(auxiliary)


def test_the_loss_of_patches_is_cross_entropy():
    logits, targets = torch.tensor([[2.0, 0.0], [0.5, 1.0]]), torch.tensor([[0.0], [1.0]])
    expected = -torch.stack([logits[0].log_softmax(0)[0], logits[1].log_softmax(0)[1]]).mean()
    torch.testing.assert_close(PatchLoss()(logits, targets), expected)
