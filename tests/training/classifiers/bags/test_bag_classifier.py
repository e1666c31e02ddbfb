import pytest
import torch

torchmil = pytest.importorskip("torchmil")

from dataclasses import replace  # noqa: E402

from pipeline.training.classifiers.bags.bag_classifier import dense_graphs  # noqa: E402
from pipeline.training.classifiers.image_classifier import build_model  # noqa: E402
from pipeline.training.fitting.steps import Objective, level_loss  # noqa: E402
from pipeline.training.graphs.fixed_graphs import SpatialGraph  # noqa: E402
from pipeline.training.graphs.image_batches import PackedBatch, PaddedBatch  # noqa: E402
from pipeline.training.methods.presets import METHODS, OF_TORCHMIL  # noqa: E402


def model_of(name, n_classes=2, **changes):
    torch.manual_seed(0)
    spec = METHODS[name]
    settings = replace(spec.settings, hidden=16, **changes)
    return build_model(replace(spec, settings=settings), 5, n_classes)


def batch_of(model, images):
    ((_, batch),) = model.batches(images, 64)
    return batch


def test_graphs_are_symmetrically_normalised_with_loops(images):
    graph = SpatialGraph(degree=2, dense_limit=2048)
    adjacency = graph(PackedBatch.of(images))
    assert [tuple(dense.shape) for dense in dense_graphs(adjacency)] == [(1, n, n) for n in (6, 9, 1, 4)]
    edges = graph.edges(images[1]).edge_index
    with_loops = torch.eye(9)
    with_loops[edges[0], edges[1]] = 1
    root = with_loops.sum(dim=1).rsqrt().diag()
    torch.testing.assert_close(dense_graphs(adjacency)[1][0], root @ with_loops @ root)
    torch.testing.assert_close(dense_graphs(adjacency)[2][0], torch.ones(1, 1))


@pytest.mark.parametrize("name", OF_TORCHMIL)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_weight_of_a_model_learns(name, n_classes, random_images):
    images = [replace(i, label=place % n_classes) for place, i in enumerate(random_images([30, 24, 26, 25, 24, 27]))]
    model = model_of(name, n_classes).train()
    logits = model(batch_of(model, images))
    assert logits.shape == (6, n_classes)
    (
        torch.nn.functional.cross_entropy(logits, torch.tensor([i.label for i in images])) + model.auxiliary_loss()
    ).backward()
    # torchmil makes a second norm for a layer of TransMIL that has no use for it.
    idle = [key for key, weight in model.named_parameters() if weight.grad is None and "norm2" not in key]
    assert idle == []


@pytest.mark.parametrize(("name", "adds"), [("clam_sb", True), ("dsmil", True), ("gtp", True), ("abmil", False)])
def test_the_loss_of_a_step_has_what_the_model_adds(name, adds, images):
    model = model_of(name, dropout=0.0)
    batch, objective = batch_of(model, images), Objective(METHODS[name], torch.ones(2))
    loss, logits = level_loss(model, batch, "lower", objective)
    plain = torch.nn.functional.cross_entropy(logits, batch.labels)
    assert (abs(float(loss - plain)) > 1e-3) is adds
    torch.testing.assert_close(loss, plain + model.auxiliary_loss())
    model.eval()(batch)
    assert model.auxiliary_loss() == 0


@pytest.mark.parametrize("name", OF_TORCHMIL)
def test_an_image_of_one_patch_has_a_finite_loss_and_gradient(name, images):
    model = model_of(name).train()
    batch = batch_of(model, images[2:3])
    (model(batch).square().sum() + model.auxiliary_loss()).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters() if weight.grad is not None)


def test_images_without_a_label_are_read(images):
    unknown = [replace(image, label=-1) for image in images]
    for name in OF_TORCHMIL:
        model = model_of(name).eval()
        assert torch.isfinite(model(batch_of(model, unknown))).all()


def test_padding_does_not_reach_a_bag(images):
    model = model_of("dsmil").eval()
    padded, packed = (model.classifier(kind.of(images), None) for kind in (PaddedBatch, PackedBatch))
    torch.testing.assert_close(padded, packed)
