from dataclasses import fields

import pytest
import torch

from pipeline.training.graphs.batching import BatchPlan, padded_batches, planned_batches
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.lazy_images import with_nodes
from pipeline.training.graphs.resident_images import ImageTable, store_images, tabled
from tests.watched_kernels import Watched

CPU, META = torch.device("cpu"), torch.device("meta")


def stored(images, device=CPU):
    return store_images(images, sum(image.n_nodes for image in images), device)


def with_offsets(images):
    return [image.but(offset=torch.tensor([float(place), 0.5])) for place, image in enumerate(images)]


def assert_same_batch(one, other):
    assert type(one) is type(other)
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, torch.Tensor):
            assert mine.dtype == theirs.dtype
            assert torch.equal(mine, theirs), field.name
        elif field.name != "images":
            assert mine == theirs


@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("limit", [0, 4, 6, None])
@pytest.mark.parametrize("order", [None, [3, 0, 2, 1], [1, 3]])
def test_selected_batches_are_those_put_together(limit, order, offsets, images):
    images = with_offsets(images) if offsets else images
    table, plan = tabled(stored(images)), BatchPlan(2, limit)
    ours, theirs = [*planned_batches(table, plan, order)], [*planned_batches(images, plan, order)]
    assert [places for places, _ in ours] == [places for places, _ in theirs]
    for (places, one), (_, other) in zip(ours, theirs, strict=True):
        assert one.images == tuple(table[place] for place in places)
        assert_same_batch(one, other)
        assert_same_batch(one.packed(), other.packed())


def test_values_that_are_no_numbers_stay_in_their_image(images):
    images[1] = NodeImage(torch.full_like(images[1].x, torch.nan), images[1].coords, 1)
    (batch,) = padded_batches(tabled(stored(images)), 4)
    assert batch.x.isnan().any(dim=2).sum(dim=1).tolist() == [0, 9, 0, 0]


def test_a_resident_image_is_the_image_it_was(images):
    for image, resident in zip(images, stored(with_offsets(images)), strict=True):
        assert torch.equal(resident.x, image.x)
        assert torch.equal(resident.coords, image.coords)
        assert (resident.label, resident.patient) == (image.label, image.patient)
    assert resident.offset.tolist() == [3, 0.5]
    assert resident.but(label=5).store is resident.store


def test_nodes_picked_of_a_resident_image_know_whose_they_are(images):
    (image,) = stored([images[0].but(patient="p", offset=torch.ones(2))])
    some = with_nodes(image, torch.tensor([1, 3]))
    assert torch.equal(some.x, images[0].x[[1, 3]])
    assert (some.patient, some.offset.tolist()) == ("p", [1, 1])


def test_only_images_of_one_store_make_a_table(images):
    resident = stored(images)
    table = tabled(resident[1:])
    assert isinstance(table, ImageTable)
    assert [*table] == resident[1:]
    assert table[1] is resident[2]
    assert table[:2] == tuple(resident[1:3])
    assert tabled(table) is table
    for others in ([], images, [*resident, images[0]], [*resident, *stored(images)]):
        assert tabled(others) is others


@pytest.mark.parametrize("limit", [4, None])
def test_a_round_of_batches_is_one_copy_and_the_same_round_again_none(limit, images):
    table = tabled(stored(images, META))
    counted = []
    for order in (None, None, [3, 0, 2, 1]):
        with Watched() as watched:
            batches = [*planned_batches(table, BatchPlan(2, limit), order)]
        assert all(batch.x.device == META for _, batch in batches)
        assert not watched.waits
        counted.append(watched.copies.total())
    assert counted == [1, 0, 1]


def test_a_batch_costs_as_few_kernels_however_many_images_it_has(random_images):
    launches = []
    for n_images in (2, 50):
        table = tabled(stored(random_images([5] * n_images)))
        with Watched() as watched:
            [*planned_batches(table, BatchPlan(50, None))]
        launches.append(watched.launches)
    assert launches[0] == launches[1] <= 12


def test_no_node_is_twice_in_memory(images):
    resident = stored(images)
    assert {image.x.untyped_storage().data_ptr() for image in resident} == {
        resident[0].store.x.untyped_storage().data_ptr()
    }
    assert len(resident[0].store.x) == sum(image.n_nodes for image in images) + 1
    assert not resident[0].store.x[-1].any()


def test_batches_are_of_the_kind_that_is_asked_for(images):
    plan = BatchPlan(2, 6, PackedBatch)
    assert {type(batch) for _, batch in planned_batches(tabled(stored(images)), plan)} == {PackedBatch}
    assert {type(batch) for batch in padded_batches(tabled(stored(images)), 2)} == {PaddedBatch}
