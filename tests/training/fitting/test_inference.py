import numpy as np
import torch

from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.fitting.inference import evaluate_images, learned_graphs, predict_logits, predict_probabilities
from pipeline.training.methods.presets import METHODS


def model_of(name):
    torch.manual_seed(0)
    return build_model(METHODS[name], 5, 2)


def test_probabilities_sum_to_one_and_dropout_is_off(images):
    model = model_of("default").train()
    probabilities = predict_probabilities(model, images, n_classes=2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert torch.equal(predict_logits(model, images), predict_logits(model, images))
    assert predict_probabilities(model, [], n_classes=3).shape == (0, 3)


def test_a_temperature_divides_the_logits(images):
    model = model_of("mean_pool")
    expected = (predict_logits(model, images).double() / 4).softmax(dim=1)
    np.testing.assert_allclose(predict_probabilities(model, images, n_classes=2, temperature=4.0), expected)


def test_loss_and_accuracy_are_those_of_the_probabilities(images):
    model = model_of("mean_pool")
    probabilities = predict_probabilities(model, images, n_classes=2)
    labels = [image.label for image in images]
    evaluation = evaluate_images(model, images)
    np.testing.assert_allclose(evaluation.loss, -np.log(probabilities[range(4), labels]).mean(), rtol=1e-5)
    assert evaluation.accuracy == (probabilities.argmax(axis=1) == labels).mean()


def test_graphs_number_the_nodes_of_each_image_by_itself(images):
    model = model_of("default")
    for image, graph in zip(images, learned_graphs(model, images), strict=True):
        n = len(image.x)
        assert graph.edge_index.shape == (2, n * (n - 1))
        (alone,) = learned_graphs(model, [image])
        np.testing.assert_allclose(graph.weight, alone.weight, atol=1e-6)
        np.testing.assert_array_equal(graph.edge_index, alone.edge_index)


def test_a_noisy_model_still_has_noise_free_graphs(images):
    model = model_of("paper_a")
    model.generator.stochastic_evaluation = True
    first, second = learned_graphs(model, images), learned_graphs(model, images)
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(graph.kept, graph.weight > 0.5) for graph in first)
