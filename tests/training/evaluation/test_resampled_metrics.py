from dataclasses import asdict

import numpy as np
import pytest

from pipeline.artefacts.metric_names import METRICS
from pipeline.training.evaluation.classification_metrics import compute_metrics
from pipeline.training.evaluation.resampled_metrics import resampled_metrics


def predictions(n_classes, n=60, seed=0):
    """Probabilities with many ties, and labels that follow them somewhat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, size=n)
    probabilities = np.exp(rng.normal(size=(n, n_classes)) + np.eye(n_classes)[labels]).round(1) + 0.1
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_a_draw_has_the_metrics_of_its_images_repeated(n_classes):
    """Against scikit-learn's metrics of the images, each as often as it was drawn."""
    probabilities, labels = predictions(n_classes)
    often = np.repeat([1.0, 0.1], 20)[:, None]
    times = np.random.default_rng(1).poisson(often, size=(40, len(labels))).astype(float)
    metrics = resampled_metrics(probabilities, labels, times)
    assert tuple(metrics) == METRICS
    for draw, count in enumerate(times.astype(int)):
        rows = np.repeat(np.arange(len(labels)), count)
        expected = asdict(compute_metrics(probabilities[rows], labels[rows]))
        assert {name: values[draw] for name, values in metrics.items()} == pytest.approx(expected, nan_ok=True)


def test_what_is_undefined_in_a_draw_is_undefined_there_alone():
    probabilities, labels = predictions(3, n=30)
    times = np.ones((3, 30))
    times[1, labels == 2] = 0
    times[2] = 0
    metrics = resampled_metrics(probabilities, labels, times)
    assert np.isnan(metrics["auroc"]).tolist() == [False, True, True]
    for name in set(METRICS) - {"auroc"}:
        assert np.isnan(metrics[name]).tolist() == [False, False, True]
