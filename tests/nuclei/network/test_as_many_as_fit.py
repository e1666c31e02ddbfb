import logging

import pytest
import torch
from torch import Tensor

from pipeline.errors import DeviceError
from pipeline.nuclei.network.as_many_as_fit import AsManyAsFit

CPU = torch.device("cpu")


class Cramped:
    """Adds a number, and has memory for some images."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.passes: list[int] = []

    def __call__(self, images: Tensor, added: int) -> Tensor:
        if len(images) > self.room:
            raise torch.OutOfMemoryError("no room")
        self.passes.append(len(images))
        return images + added


def test_batches_are_halved_until_they_fit_and_stay_so(caplog: pytest.LogCaptureFixture) -> None:
    run = Cramped(2)
    in_parts = AsManyAsFit(run, CPU)
    images = torch.rand(7, 2, 8, 8)
    with caplog.at_level(logging.WARNING, logger="abignet.nuclei"):
        assert torch.equal(in_parts(images, 3), images + 3)
    assert [record.getMessage() for record in caplog.records] == [
        "cpu: out of memory with 7 images, now 3 a pass",
        "cpu: out of memory with 3 images, now 1 a pass",
    ]
    run.passes.clear()
    in_parts(images[:3], 1)
    assert run.passes == [1, 1, 1]


def test_a_part_has_so_many_images_at_most() -> None:
    run = Cramped(4)
    AsManyAsFit(run, CPU, at_once=3)(torch.rand(7, 2, 8, 8), 0)
    assert run.passes == [3, 3, 1]


@pytest.mark.parametrize(
    "images", [torch.rand(2, 2, 8, 16), torch.zeros(2, 8, 16, 3, dtype=torch.uint8)], ids=["inputs", "pictures"]
)
def test_no_room_for_one_image(images: Tensor) -> None:
    with pytest.raises(DeviceError, match=r"cpu: .* one image of 16 x 8 pixels; use smaller tiles"):
        AsManyAsFit(Cramped(0), CPU)(images, 0)
