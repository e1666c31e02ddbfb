import numpy as np
import pytest
import torch
from scipy.special import softmax

from pipeline.training.classifiers.logistic_pooled import LogisticPooled
from pipeline.training.classifiers.node_pooling import pooled_images
from pipeline.training.fitting.best_pooled_linear import best_pooled_linear
from pipeline.training.graphs.adjacency import NoEdges
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.methods.presets import METHODS


def labelled(random_images, n_classes):
    return [
        NodeImage(image.x + position % n_classes, image.coords, position % n_classes)
        for position, image in enumerate(random_images([5, 7, 6] * 8))
    ]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", [PaddedBatch, PackedBatch])
def test_probabilities_are_those_of_the_linear_model_that_was_chosen(n_classes, kind, random_images):
    images = labelled(random_images, n_classes)
    model = LogisticPooled.from_spec(METHODS["logistic"], 5, n_classes)
    best = best_pooled_linear(images, balanced=True, seed=0)
    model.keep(best)
    expected = softmax(pooled_images(images) @ best.weight.T + best.bias, axis=1)
    probabilities = model(kind.of(images), NoEdges()).softmax(dim=-1).detach().numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert (probabilities.argmax(axis=1) == [image.label for image in images]).mean() > 0.8


def test_a_constant_feature_changes_nothing(random_images):
    images = labelled(random_images, 2)
    constant = [NodeImage(torch.cat([i.x, torch.ones(len(i.x), 1)], dim=1), i.coords, i.label) for i in images]
    models = LogisticPooled(5, 2), LogisticPooled(6, 2)
    for model, rows in zip(models, (images, constant), strict=True):
        model.keep(best_pooled_linear(rows, balanced=False, seed=0))
    plain, more = (m(PaddedBatch.of(r), NoEdges()) for m, r in zip(models, (images, constant), strict=True))
    torch.testing.assert_close(more, plain, atol=1e-4, rtol=1e-4)
