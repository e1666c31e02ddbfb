import pytest
import torch

from pipeline import devices
from pipeline.devices import choose_device, gpus_of_a_job, require_solvable
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
    ("device", "gpus", "asked"),
    [("cpu", 0, 0), ("cpu", 4, 0), ("auto", 0, 0), ("auto", 1, 1), ("auto", 4, 1), ("cuda", 0, 1), ("cuda", 4, 1)],
)
def test_cards_that_a_job_asks_for(device, gpus, asked):
    assert gpus_of_a_job(device, gpus) == asked


def test_environments_for_cuda_are_refused_where_conda_finds_no_driver(monkeypatch):
    monkeypatch.delenv("CONDA_OVERRIDE_CUDA", raising=False)
    monkeypatch.setattr(devices, "has_driver", lambda: False)
    require_solvable([])
    with pytest.raises(DeviceError, match=r"^envs/a-cuda.yaml, envs/b-cuda.yaml: .*CONDA_OVERRIDE_CUDA=12"):
        require_solvable(["envs/b-cuda.yaml", "envs/a-cuda.yaml"])


def test_they_are_solved_where_there_is_a_driver_or_the_user_says_which_cuda_there_will_be(monkeypatch):
    monkeypatch.delenv("CONDA_OVERRIDE_CUDA", raising=False)
    monkeypatch.setattr(devices, "has_driver", lambda: True)
    require_solvable(["envs/a-cuda.yaml"])
    monkeypatch.setattr(devices, "has_driver", lambda: False)
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.8")
    require_solvable(["envs/a-cuda.yaml"])
