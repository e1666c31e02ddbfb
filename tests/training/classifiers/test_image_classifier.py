from dataclasses import replace
from typing import get_args

import pytest
import torch

from pipeline.training.classifiers.image_classifier import CLASSIFIERS, GENERATORS, ImageClassifier, build_model
from pipeline.training.classifiers.mean_pool import MeanPool
from pipeline.training.graphs.edge_kernels import OwnKernels
from pipeline.training.graphs.generator import NoGraph
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.pyg_kernels import PyGKernels
from pipeline.training.methods.presets import METHODS, ClassifierName, GeneratorName, Settings


def model_of(name, **changes):
    torch.manual_seed(0)
    spec = METHODS[name]
    return build_model(replace(spec, settings=replace(spec.settings, **changes)), 5, 2).eval()


def logits_of(model, images):
    """Logits of ``images`` in one batch, as the model takes them."""
    ((positions, batch),) = model.batches(images, 64)
    return model(batch)[torch.tensor(positions).argsort()]


def test_every_name_has_a_maker():
    assert set(GENERATORS) == set(get_args(GeneratorName))
    assert set(CLASSIFIERS) == set(get_args(ClassifierName))


@pytest.mark.parametrize("name", METHODS)
def test_batching_and_numbering_change_no_logit(name, images):
    model = model_of(name)
    images = [
        NodeImage(i.x, torch.rand(len(i.x), 2, generator=torch.Generator().manual_seed(4)), i.label) for i in images
    ]
    together = logits_of(model, images)
    alone = torch.cat([logits_of(model, [image]) for image in images])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)
    if name == "transmil":
        # Its convolutions see patches in the order of the file, as published.
        return
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    moved = NodeImage(images[0].x[order], images[0].coords[order], 0)
    torch.testing.assert_close(logits_of(model, [moved]), alone[:1], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_logits_are_the_classifier_on_the_graph(name, images):
    model = model_of(name)
    ((_, batch),) = model.batches(images, 64)
    adjacency = model.adjacency(batch)
    assert torch.equal(model.logits(batch, adjacency), model(batch))
    assert torch.equal(model.classifier(batch, adjacency), model(batch))


def test_images_beyond_the_limit_are_packed_and_those_of_fixed_graphs_always(images):
    def kinds(name):
        return [(positions, type(batch)) for positions, batch in model_of(name, dense_limit=6).batches(images, 2)]

    assert kinds("default") == [([1], PackedBatch), ([0, 2], PaddedBatch), ([3], PaddedBatch)]
    assert kinds("cosine_graph") == [([1], PackedBatch), ([0, 2], PackedBatch), ([3], PackedBatch)]
    assert kinds("mean_pool") == [([0, 1], PaddedBatch), ([2, 3], PaddedBatch)]


def test_without_a_limit_all_are_padded(images):
    model = ImageClassifier(NoGraph(), MeanPool(5, 2, width=4, dropout=0.0))
    ((positions, batch),) = model.batches(images, 4, [3, 1, 0, 2])
    assert positions == [3, 1, 0, 2]
    assert batch.sizes == [4, 9, 6, 1]


@pytest.mark.parametrize("name", ["default", "cosine_graph", "spatial_graph"])
def test_message_passing_is_by_the_kernels_asked_for_and_gives_the_same_logits(name, images):
    own, pyg = (model_of(name, message_passing=kernels, dense_limit=2) for kernels in ("own", "pyg"))
    assert isinstance(own.generator.kernels, OwnKernels)
    assert isinstance(pyg.generator.kernels, PyGKernels)
    expected, logits = (torch.cat([model(batch) for _, batch in model.batches(images, 64)]) for model in (own, pyg))
    torch.testing.assert_close(logits, expected)


def test_generators_have_the_numbers_of_the_method():
    metric = model_of(
        "default", heads=3, projection=2, temperature=5.0, target_degree=4, similar_candidates=7
    ).generator
    assert metric.project.weight.shape == (6, 5)
    torch.testing.assert_close(metric.factors().flatten(), torch.full((3,), 5.0))
    assert metric.target_degree == 4
    assert metric.distance_weight is None
    assert (metric.search.params.similar, metric.search.params.spatial) == (7, Settings().spatial_candidates)
    assert model_of("default", spatial_term=True, spatial_candidates=3).generator.distance_weight.shape == (4,)
    mlp = model_of("paper_b", stochastic_evaluation=True).generator
    assert (mlp.draws, mlp.stochastic_evaluation) == (5, True)
    fixed = model_of("spatial_graph", target_degree=5, dense_limit=77).generator
    assert (fixed.degree, fixed.dense_limit) == (5, 77)
