import numpy as np
import pytest

from pipeline.training.classifiers.node_pooling import mean_and_sd, pooled_images
from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch


def rows_of(images):
    return np.stack([np.concatenate([i.x.numpy().mean(axis=0), i.x.numpy().std(axis=0)]) for i in images])


@pytest.mark.parametrize("kind", [PaddedBatch, PackedBatch])
def test_nodes_are_pooled_to_mean_and_population_sd(kind, images):
    np.testing.assert_allclose(mean_and_sd(kind.of(images)), rows_of(images), atol=1e-6)


def test_images_pooled_one_by_one_are_those_of_a_batch(images):
    pooled = pooled_images(images)
    assert pooled.dtype == np.float64
    np.testing.assert_allclose(pooled, rows_of(images), atol=1e-6)
