import numpy as np
import pytest
import torch

from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.classifiers.pooled_path import PooledPath
from pipeline.training.interpretation.feature_evidence import Asked, feature_evidence, of_named_features
from pipeline.training.interpretation.log_odds import log_odds
from tests.training.fitting.small_models import small


def linear_model(weight):
    """Log-odds of class 1 are the mean of the patches times ``weight``; the graph path is off."""
    network = PooledAndGraph(PooledPath([], 5, 2), [small("default")[1]]).eval()
    network.graph_kept.fill_(0)
    with torch.no_grad():
        network.pooled.linear.weight.zero_()
        network.pooled.linear.bias.zero_()
        network.pooled.linear.weight[1, :5] = torch.tensor(weight)
    return network


def test_in_a_linear_model_a_feature_says_its_weight_times_its_value(random_images):
    (image,) = random_images([6])
    weight = [1.0, 0.0, -2.0, 0.5, 0.0]
    evidence, gap = feature_evidence(Asked(linear_model(weight), 1), image, 4)
    np.testing.assert_allclose(evidence, image.x.numpy() * weight / 6, atol=1e-6)
    assert gap == pytest.approx(0, abs=1e-6)


def test_features_that_are_the_same_everywhere_have_finite_evidence(random_images):
    (image,) = random_images([1])
    network = linear_model([1.0] * 5)
    network.pooled.linear.weight.data[1, 5:] = 3.0
    evidence, gap = feature_evidence(Asked(network, 1), image, 4)
    np.testing.assert_allclose(evidence, image.x.numpy(), atol=1e-6)
    assert gap == pytest.approx(0, abs=1e-6)


def test_evidence_adds_up_to_the_change_from_average_patches(random_images):
    (image,) = random_images([9])
    network = small("joint", target_degree=0)[1].eval()
    evidence, gap = feature_evidence(Asked(network, 0, 2.0), image, 200)
    ends = [image, image.but(x=torch.zeros_like(image.x))]
    with torch.no_grad():
        said = [log_odds(network(batch), 2.0)[0, 0] for end in ends for _, batch in network.batches([end], 1)]
    assert evidence.sum() == pytest.approx(float(said[0] - said[1]), abs=2e-3)
    assert abs(gap) < 2e-3


def test_indicators_count_for_their_features():
    evidence = np.array([[1, 2, 3, 10, 20]], np.float32)
    np.testing.assert_array_equal(of_named_features(evidence, np.array([True, False, True])), [[11, 2, 23]])
