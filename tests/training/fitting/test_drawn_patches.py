import pytest
import torch

from pipeline.training.fitting.bilevel import fit
from pipeline.training.fitting.drawn_patches import drawn_patches
from pipeline.training.fitting.steps import Objective, TrainingImages
from pipeline.training.graphs.image_batches import NodeImage
from tests.training.fitting.small_models import EVEN, small


def numbered(n_nodes):
    return NodeImage(torch.arange(n_nodes, dtype=torch.float32)[:, None], torch.zeros(n_nodes, 2), 0)


def test_larger_images_lose_patches_and_others_stay_themselves():
    images = [numbered(n) for n in (3, 4, 9)]
    drawn = drawn_patches(images, 4, 7, "epoch", 0)
    assert [image.n_nodes for image in drawn] == [3, 4, 4]
    assert drawn[:2] == images[:2]
    rows = drawn[2].x[:, 0].tolist()
    assert rows == sorted(set(rows))
    assert set(rows) <= set(range(9))
    for most in (0, 9):
        assert drawn_patches(images, most, 7) is images


def test_seed_epoch_and_place_decide_the_draw():
    images = [numbered(100), numbered(100)]

    def draw(*purpose):
        return [image.x[:, 0].tolist() for image in drawn_patches(images, 10, *purpose)]

    assert draw(7, 0) == draw(7, 0)
    one, other = draw(7, 0)
    assert one != other
    assert one not in (draw(7, 1)[0], draw(8, 0)[0])


def test_every_patch_has_the_same_chance():
    """1,000 draws of 2 of 5 patches: each is expected 400 times, with an SD of 15."""
    seen = torch.cat([drawn_patches([numbered(5)], 2, 0, epoch)[0].x[:, 0].long() for epoch in range(1000)])
    assert (torch.bincount(seen) - 400).abs().max() < 75


def test_only_images_that_fit_weights_are_drawn(roles):
    drawn = roles.drawn(3, 0, "epoch")
    assert {image.n_nodes for image in (*drawn.train, *drawn.structure)} == {3}
    assert drawn.select is roles.select
    assert roles.drawn(0, 0, "epoch").train is roles.train


@pytest.mark.parametrize("name", ["default", "joint", "spatial_graph", "attention_mil"])
def test_epochs_see_different_patches_and_the_same_seed_the_same_ones(name, roles):
    """Twenty patches an image, of which an epoch sees five."""
    large = TrainingImages(*([grown(image) for image in role] for role in (roles.train, roles.structure, roles.select)))
    losses = []
    for most in (5, 5, 0):
        spec, model = small(name, patches_per_epoch=most, pretraining_steps=4, dropout=0.0)
        history = fit(model, large, Objective(spec, EVEN), order_seed=1)
        losses.append([record.lower_loss for record in history])
    assert losses[0] == losses[1] != losses[2]


def grown(image):
    noise = torch.randn(15, image.x.shape[1], generator=torch.Generator().manual_seed(image.label))
    return image.but(x=torch.cat([image.x, noise]), coords=torch.cat([image.coords, torch.ones(15, 2)]))
