import pytest
import torch

from pipeline.devices import choose_device, free_memory
from pipeline.errors import DeviceError

CPU = torch.device("cpu")


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(DeviceError, match="cuda was asked for"):
        choose_device("cuda")


def test_unknown_device() -> None:
    with pytest.raises(DeviceError, match="found 'tpu'"):
        choose_device("tpu")


@pytest.mark.parametrize(
    ("nobodys", "held", "used", "share", "free"),
    [(60, 0, 0, 1.0, 60), (40, 30, 10, 1.0, 60), (60, 30, 10, 0.25, 10), (60, 30, 30, 0.25, 0)],
)
def test_memory_that_a_job_may_still_take(
    nobodys: int, held: int, used: int, share: float, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a card of 80: what nobody has and what PyTorch keeps unused, up to the job's own bound."""
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    says = {"mem_get_info": (nobodys, 80), "memory_reserved": held, "memory_allocated": used}
    for name, value in {**says, "get_per_process_memory_fraction": share}.items():
        monkeypatch.setattr(torch.cuda, name, lambda index, value=value: {3: value}[index])
    assert free_memory(torch.device("cuda")) == free_memory(torch.device("cuda", 3)) == free


@pytest.mark.gpu
def test_memory_of_a_card() -> None:
    card = torch.device("cuda")
    free, total = torch.cuda.mem_get_info(card)
    assert free <= free_memory(card) <= total
