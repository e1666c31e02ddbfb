import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pipeline.training.classifiers.logistic_pooled import LogisticPooled
from pipeline.training.graphs.adjacency import NoEdges
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.methods.presets import METHODS


def labelled(random_images, n_classes):
    return [
        NodeImage(image.x + position % n_classes, image.coords, position % n_classes)
        for position, image in enumerate(random_images([5, 7, 6] * 8))
    ]


def rows_of(images):
    return np.stack([np.concatenate([i.x.numpy().mean(axis=0), i.x.numpy().std(axis=0)]) for i in images])


@pytest.mark.parametrize("kind", [PaddedBatch, PackedBatch])
def test_nodes_are_pooled_to_mean_and_population_sd(kind, images):
    pooled = LogisticPooled.from_spec(METHODS["logistic"], 5, 2).pooled(kind.of(images))
    np.testing.assert_allclose(pooled, rows_of(images), atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("balanced", [False, True])
def test_probabilities_are_those_of_scikit_learn(n_classes, balanced, random_images):
    # Fewer of the first class, so that balancing tells.
    images = labelled(random_images, n_classes)[n_classes + 1 :: 1]
    images = [image for position, image in enumerate(images) if image.label or position % 2]
    model = LogisticPooled(5, n_classes)
    model.fit(images, balanced=balanced)
    pooled = rows_of(images)
    standard = (pooled - pooled.mean(axis=0)) / pooled.std(axis=0)
    regression = LogisticRegression(max_iter=2000, class_weight="balanced" if balanced else None)
    expected = regression.fit(standard, [image.label for image in images]).predict_proba(standard)
    probabilities = model(PaddedBatch.of(images), NoEdges()).softmax(dim=-1).detach().numpy()
    np.testing.assert_allclose(probabilities, expected, atol=2e-3)


def test_a_constant_feature_changes_nothing(random_images):
    images = labelled(random_images, 2)
    constant = [NodeImage(torch.cat([i.x, torch.ones(len(i.x), 1)], dim=1), i.coords, i.label) for i in images]
    models = LogisticPooled(5, 2), LogisticPooled(6, 2)
    for model, rows in zip(models, (images, constant), strict=True):
        model.fit(rows, balanced=False)
    plain, more = (m(PaddedBatch.of(r), NoEdges()) for m, r in zip(models, (images, constant), strict=True))
    torch.testing.assert_close(more, plain, atol=1e-4, rtol=1e-4)
