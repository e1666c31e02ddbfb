from concurrent.futures import ThreadPoolExecutor
from threading import current_thread, main_thread

import numpy as np
import pytest
import torch

from pipeline.errors import ArtefactError
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.lazy_images import LazyImage, with_nodes


class File:
    """Features that know how often, and in which thread, they were read."""

    def __init__(self, n_nodes=3):
        self.values = np.arange(n_nodes * 2, dtype=np.float32).reshape(n_nodes, 2)
        self.threads = []

    def read(self):
        self.threads.append(current_thread())
        return torch.from_numpy(self.values)

    def image(self, readers=None):
        return LazyImage(self.read, torch.zeros(len(self.values), 2), 1, readers)


@pytest.fixture
def readers():
    with ThreadPoolExecutor(1) as threads:
        yield threads


def test_features_are_read_at_every_use_and_size_and_label_without():
    file = File()
    image = file.image()
    assert (image.n_nodes, image.label) == (3, 1)
    assert not file.threads
    for _ in range(2):
        assert torch.equal(image.x, torch.from_numpy(file.values))
    assert len(file.threads) == 2


def test_what_was_fetched_is_read_once_in_a_thread_and_given_once(readers):
    file = File()
    image = file.image(readers)
    image.fetch()
    image.fetch()
    assert torch.equal(image.x, torch.from_numpy(file.values))
    assert len(file.threads) == 1
    assert file.threads[0] is not main_thread()
    assert torch.equal(image.x, torch.from_numpy(file.values))
    assert file.threads[1:] == [main_thread()]


def test_without_threads_nothing_is_read_ahead():
    file = File()
    file.image().fetch()
    assert not file.threads


def test_what_is_dropped_is_forgotten(readers):
    file = File()
    image = file.image(readers)
    image.fetch()
    image.drop()
    image.drop()
    assert torch.equal(image.x, torch.from_numpy(file.values))
    assert file.threads[-1] is main_thread()


def test_a_fault_of_reading_ahead_comes_to_who_asks_for_the_features(readers):
    def fail():
        raise ArtefactError("a.zarr: damaged")

    image = LazyImage(fail, torch.zeros(3, 2), 0, readers)
    image.fetch()
    with pytest.raises(ArtefactError, match="damaged"):
        _ = image.x


@pytest.mark.parametrize("kind", [PaddedBatch, PackedBatch])
def test_a_batch_reads_each_image_once_and_packing_it_none(kind):
    files = [File(3), File(5)]
    batch = kind.of([file.image() for file in files])
    packed = batch.packed()
    assert [len(file.threads) for file in files] == [1, 1]
    assert torch.equal(packed.x, torch.from_numpy(np.concatenate([file.values for file in files])))
    assert packed.sizes == batch.sizes == [3, 5]


def test_a_changed_image_is_another_one_of_the_same_file(readers):
    file = File()
    image = file.image(readers)
    image.fetch()
    other = image.but(label=0, patient="p")
    assert (other.label, other.patient, image.label, image.patient) == (0, "p", 1, "")
    assert other != image
    assert torch.equal(other.x, image.x)
    assert len(file.threads) == 2
    held = NodeImage(torch.zeros(2, 1), torch.zeros(2, 2), 0)
    assert held.but(label=1).label == 1


def test_some_nodes_of_an_image_are_picked_at_every_use(readers):
    file, rows = File(5), torch.tensor([3, 0])
    stored = file.image(readers)
    held = NodeImage(torch.from_numpy(file.values), stored.coords + torch.arange(5)[:, None], 1, "p")
    for image in (stored, held):
        some = with_nodes(image, rows)
        some.fetch()
        assert some.x.tolist() == file.values[[3, 0]].tolist()
        assert torch.equal(some.coords, image.coords[rows])
        assert (some.n_nodes, some.label, some.patient) == (2, 1, image.patient)
    assert len(file.threads) == 1
    assert file.threads[0] is not main_thread()


def test_an_image_stays_the_same_one_between_uses():
    image, other = File().image(), File().image()
    assert len({image, image, other}) == 2
