from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.training.classifiers.image_classifier import build_model
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting.bilevel import fit
from pipeline.training.fitting.inference import evaluate_images, learned_graphs, predict_logits
from pipeline.training.fitting.steps import Objective, TrainingImages
from pipeline.training.methods.presets import METHODS

CPU = torch.device("cpu")


def spec_with(**changes):
    default = METHODS["default"]
    return replace(default, settings=replace(default.settings, epochs=2, batch_size=3, **changes))


def models(**changes):
    """The same weights with sparse mode for images beyond eight patches, and without."""
    torch.manual_seed(0)
    dense = build_model(spec_with(), 5, 2)
    sparse = build_model(spec_with(dense_limit=8, **changes), 5, 2)
    sparse.load_state_dict(dense.state_dict())
    return dense, sparse


@pytest.fixture
def mixed(random_images):
    return random_images([6, 12, 3, 9, 1, 20, 8, 10])


def test_large_images_get_the_logits_and_graphs_of_all_pairs(mixed):
    dense, sparse = models(similar_candidates=30)
    torch.testing.assert_close(predict_logits(sparse, mixed), predict_logits(dense, mixed), atol=1e-5, rtol=1e-4)
    ours, theirs = (evaluate_images(model, mixed) for model in (sparse, dense))
    assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
    assert ours.mean_degree == pytest.approx(theirs.mean_degree, abs=1e-4)
    for a, b in zip(learned_graphs(sparse, mixed), learned_graphs(dense, mixed), strict=True):
        np.testing.assert_array_equal(a.edge_index, b.edge_index)
        np.testing.assert_allclose(a.weight, b.weight, atol=1e-6)


@pytest.mark.parametrize("name", ["cosine_graph", "spatial_graph"])
def test_fixed_graphs_of_large_images_are_those_of_small_ones(name, mixed):
    fixed = METHODS[name]
    # Coordinates on a grid have ties, which the two searches break each in its own way.
    mixed = [replace(image, coords=image.x[:, :2]) for image in mixed]
    torch.manual_seed(0)
    dense, sparse = (
        build_model(replace(fixed, settings=replace(fixed.settings, target_degree=3, dense_limit=limit)), 5, 2)
        for limit in (100, 8)
    )
    sparse.load_state_dict(dense.state_dict())
    torch.testing.assert_close(predict_logits(sparse, mixed), predict_logits(dense, mixed), atol=1e-5, rtol=1e-4)
    ours, theirs = (evaluate_images(model, mixed) for model in (sparse, dense))
    assert ours.mean_degree == pytest.approx(theirs.mean_degree, abs=1e-4)
    for a, b in zip(learned_graphs(sparse, mixed), learned_graphs(dense, mixed), strict=True):
        np.testing.assert_array_equal(a.edge_index, b.edge_index)
        np.testing.assert_allclose(a.weight, b.weight, atol=1e-6)
        assert a.kept.all()


@pytest.mark.parametrize("name", ["default", "joint"])
def test_training_on_small_and_large_images_gives_the_same_bytes_twice(name, mixed):
    spec = replace(spec_with(dense_limit=8, similar_candidates=4, spatial_candidates=2), levels=METHODS[name].levels)

    def trained():
        with deterministic_torch(0, threads=1, device=CPU):
            model = build_model(spec, 5, 2)
            start = {key: value.clone() for key, value in model.state_dict().items()}
            images = TrainingImages(mixed, mixed[:4], mixed[4:])
            fit(model, images, Objective(spec, torch.ones(2)), order_seed=0)
        return start, model.state_dict()

    (start, first), (_, second) = trained(), trained()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(start["generator.project.weight"], first["generator.project.weight"])
    assert not torch.equal(start["classifier.embed.weight"], first["classifier.embed.weight"])
