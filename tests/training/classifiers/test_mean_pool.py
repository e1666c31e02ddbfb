import torch

from pipeline.training.classifiers.mean_pool import MeanPool
from pipeline.training.graphs.adjacency import NoEdges
from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch
from pipeline.training.methods.presets import METHODS


def test_logits_are_of_the_mean_node(images):
    torch.manual_seed(0)
    model = MeanPool(5, 3, width=8, dropout=0.0)
    expected = torch.stack([model.head(model.nodes(image.x).mean(dim=0)) for image in images])
    for kind in (PaddedBatch, PackedBatch):
        torch.testing.assert_close(model(kind.of(images), NoEdges()), expected)


def test_numbers_come_from_the_method():
    model = MeanPool.from_spec(METHODS["mean_pool"], 5, 3)
    assert model.head[-1].weight.shape == (3, 32)
    assert model.head[0].p == model.nodes[2].p == 0.1
