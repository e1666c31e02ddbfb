import torch

from pipeline.training.classifiers.attention_mil import AttentionMIL
from pipeline.training.graphs.adjacency import NoEdges
from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch
from pipeline.training.methods.presets import METHODS


def model_of(n_classes=2):
    torch.manual_seed(0)
    return AttentionMIL(5, n_classes, width=8, dropout=0.0)


def test_attention_sums_to_one_over_real_nodes(batch):
    model = model_of()
    attention = model.attention(model.nodes(batch.x), batch)
    torch.testing.assert_close(attention.sum(dim=1), torch.ones(4))
    assert not attention[~batch.mask].any()


def test_logits_follow_the_published_formula(images):
    """Ilse et al. 2018, eq. 8 and 9."""
    model = model_of(n_classes=3)
    expected = []
    for image in images:
        h = model.nodes(image.x)
        gated = torch.tanh(model.tangent(h)) * torch.sigmoid(model.gate(h))
        attention = (gated @ model.score.weight.T + model.score.bias).softmax(dim=0)
        expected.append(model.head((attention * h).sum(dim=0)))
    for kind in (PaddedBatch, PackedBatch):
        torch.testing.assert_close(model(kind.of(images), NoEdges()), torch.stack(expected))


def test_numbers_come_from_the_method():
    model = AttentionMIL.from_spec(METHODS["attention_mil"], 5, 3)
    assert model.score.in_features == 32
    assert model.head[0].p == 0.1
