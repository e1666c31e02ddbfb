import torch

from pipeline.training.graphs import padded_batches as module
from pipeline.training.graphs.padded_batches import batches, pack, shuffled


def test_packing_pads_with_zeros_and_masks_them(images):
    batch = pack(images)
    assert batch.x.shape == (4, 9, 5)
    assert batch.mask.sum(dim=1).tolist() == [6, 9, 1, 4]
    assert torch.equal(batch.x[0, :6], images[0].x)
    assert not batch.x[0, 6:].any()
    assert batch.labels.tolist() == [0, 1, 0, 1]


def test_pairs_are_of_two_different_real_nodes(images):
    pairs = pack(images).pair_mask
    assert pairs.sum(dim=(1, 2)).tolist() == [6 * 5, 9 * 8, 0, 4 * 3]
    assert not pairs.diagonal(dim1=1, dim2=2).any()


def test_batches_hold_each_image_once_in_order(images):
    positions = [p for p, _ in batches(images, 3, order=[2, 0, 3, 1])]
    assert positions == [[2, 0, 3], [1]]
    assert [p for p, _ in batches(images, 8)] == [[0, 1, 2, 3]]


def test_large_images_get_smaller_batches(monkeypatch, random_images):
    monkeypatch.setattr(module, "PAIRS_PER_BATCH", 200)
    sizes = [10, 10, 10, 20, 3]
    positions = [p for p, _ in batches(random_images(sizes), 8)]
    assert positions == [[0, 1], [2], [3], [4]]


def test_the_order_follows_its_seed():
    orders = [shuffled(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(50))
