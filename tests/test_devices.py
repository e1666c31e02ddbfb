import pytest
import torch

from pipeline.devices import choose_device
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
