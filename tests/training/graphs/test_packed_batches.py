import pytest
import torch

from pipeline.training.graphs import packed_batches as sparse_batches
from pipeline.training.graphs.packed_batches import (
    PackedGraphs,
    batches_by_size,
    mean_of_images,
    pack_nodes,
    packed_batches,
)
from pipeline.training.graphs.padded_batches import GraphBatch, batches


def test_packed_images_stand_one_after_the_other(images):
    graphs = pack_nodes(images)
    assert graphs.sizes == [6, 9, 1, 4]
    assert graphs.x.shape == (20, 5)
    assert torch.equal(graphs.x[15], images[2].x[0])
    assert torch.equal(graphs.coords[16:], images[3].coords)
    assert graphs.labels.tolist() == [0, 1, 0, 1]
    assert graphs.image_of_node.tolist() == [0] * 6 + [1] * 9 + [2] + [3] * 4


def test_means_are_of_each_image(images):
    graphs = pack_nodes(images)
    expected = torch.stack([image.x.mean(dim=0) for image in images])
    torch.testing.assert_close(mean_of_images(graphs.x, graphs), expected)


def test_packed_batches_stay_within_images_and_nodes(images, monkeypatch):
    order = [3, 1, 2, 0]
    assert [p for p, _ in packed_batches(images, 2, order)] == [[3, 1], [2, 0]]
    monkeypatch.setattr(sparse_batches, "NODES_PER_BATCH", 8)
    assert [p for p, _ in packed_batches(images, 3, order)] == [[3], [1], [2, 0]]


def test_only_images_beyond_the_limit_are_packed(images):
    kinds = {tuple(positions): type(batch) for positions, batch in batches_by_size(images, 2, 5)}
    assert kinds == {(0, 1): PackedGraphs, (2, 3): GraphBatch}


def test_a_batch_comes_when_its_last_image_has_its_turn(random_images):
    images = random_images([9, 2, 9, 9, 2, 2, 9])
    found = [positions for positions, _ in batches_by_size(images, 2, 5)]
    assert found == [[0, 2], [1, 4], [5], [3, 6]]
    backwards = [positions for positions, _ in batches_by_size(images, 2, 5, [6, 5, 4, 3, 2, 1, 0])]
    assert backwards == [[5, 4], [6, 3], [1], [2, 0]]


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
def test_small_images_are_batched_as_ever(images, order):
    ours, plain = (list(found) for found in (batches_by_size(images, 3, 9, order), batches(images, 3, order)))
    assert [p for p, _ in ours] == [p for p, _ in plain]
    for (_, a), (_, b) in zip(ours, plain, strict=True):
        assert torch.equal(a.x, b.x)
