import pytest
import torch
from torch_geometric.nn import global_add_pool, global_mean_pool
from torch_geometric.utils import softmax

from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch, labels_of, patients_of

KINDS = (PaddedBatch, PackedBatch)


def by_node(kind, images, values):
    """``values`` (N, d), image by image, as the nodes of a batch of ``kind``."""
    stood_in = [
        NodeImage(part, image.coords, 0) for part, image in zip(values.split(sizes(images)), images, strict=True)
    ]
    return kind.of(stood_in).x


def sizes(images):
    return [len(image.x) for image in images]


def real(batch, values):
    """Values of real nodes, image by image."""
    return values[batch.mask] if isinstance(batch, PaddedBatch) else values


@pytest.fixture(params=KINDS, ids=["padded", "packed"])
def kind(request):
    return request.param


@pytest.fixture
def values():
    return torch.randn(20, 3, generator=torch.Generator().manual_seed(7))


def test_padding_fills_with_zeros_and_masks_them(images):
    batch = PaddedBatch.of(images)
    assert batch.x.shape == (4, 9, 5)
    assert batch.mask.sum(dim=1).tolist() == [6, 9, 1, 4]
    assert torch.equal(batch.x[0, :6], images[0].x)
    assert torch.equal(batch.coords[3, :4], images[3].coords)
    assert not batch.x[0, 6:].any()
    assert batch.labels.tolist() == [0, 1, 0, 1]


def test_packed_images_stand_one_after_the_other(images):
    batch = PackedBatch.of(images)
    assert batch.x.shape == (20, 5)
    assert torch.equal(batch.x[15], images[2].x[0])
    assert torch.equal(batch.coords[16:], images[3].coords)
    assert batch.labels.tolist() == [0, 1, 0, 1]
    assert batch.starts.tolist() == [0, 6, 15, 16, 20]
    assert batch.image_of_node.tolist() == [0] * 6 + [1] * 9 + [2] + [3] * 4


def test_both_know_their_images(kind, images):
    batch = kind.of(images)
    assert batch.images == tuple(images)
    assert batch.sizes == [6, 9, 1, 4]
    assert batch.n_nodes.tolist() == [[6], [9], [1], [4]]
    assert torch.equal(batch.packed().x, PackedBatch.of(images).x)


def test_only_padded_batches_have_room_for_all_pairs(images):
    assert torch.equal(PaddedBatch.of(images).all_pairs.nodes, PaddedBatch.of(images).mask)
    assert PackedBatch.of(images).all_pairs is None


def test_an_image_equals_itself_alone(images):
    twin = NodeImage(images[0].x, images[0].coords, images[0].label)
    assert twin != images[0]
    assert len({images[0], images[0], twin}) == 2


def test_totals_and_means_are_those_of_pytorch_geometric(kind, images, values):
    batch, place = kind.of(images), PackedBatch.of(images).image_of_node
    h = by_node(kind, images, values)
    torch.testing.assert_close(batch.total(h), global_add_pool(values, place))
    torch.testing.assert_close(batch.mean(h), global_mean_pool(values, place))


def test_what_stands_on_padding_does_not_count(images):
    batch = PaddedBatch.of(images)
    h = batch.x.masked_fill(~batch.mask.unsqueeze(-1), 1000.0)
    torch.testing.assert_close(batch.mean(h), batch.mean(batch.x))
    score = batch.x[..., 0].masked_fill(~batch.mask, 1000.0)
    assert not batch.softmax(score)[~batch.mask].any()


def test_the_softmax_is_that_of_pytorch_geometric(kind, images, values):
    batch, score = kind.of(images), 30 * values[:, 0]
    share = real(batch, batch.softmax(by_node(kind, images, score.unsqueeze(1)).squeeze(-1)))
    torch.testing.assert_close(share, softmax(score, PackedBatch.of(images).image_of_node))


def test_gradients_of_the_softmax_are_those_of_finite_differences(images):
    batch = PackedBatch.of(images)
    score = torch.randn(20, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(batch.softmax, score)


def test_values_of_images_stand_at_each_of_their_nodes(kind, images):
    batch = kind.of(images)
    values = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    at_nodes = real(batch, batch.at_nodes(values).expand(*batch.x.shape[:-1], 1))
    assert at_nodes.flatten().tolist() == [1] * 6 + [2] * 9 + [3] + [4] * 4


def test_sums_over_packed_nodes_are_in_single_precision_at_least(images):
    batch = PackedBatch.of(images)
    assert batch.total(batch.x.bfloat16()).dtype == torch.float32
    assert batch.softmax(batch.x[:, 0].bfloat16()).dtype == torch.float32
    assert batch.total(batch.x.double()).dtype == torch.float64


def test_images_tell_their_labels_and_patients(images):
    assert labels_of(images).tolist() == [image.label for image in images]
    known = [images[0].but(patient="p"), *images[1:3]]
    assert patients_of(known) == ["p", "image 1", "image 2"]
