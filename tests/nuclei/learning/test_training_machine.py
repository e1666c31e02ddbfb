import os

import pytest

from pipeline.errors import DeviceError
from pipeline.nuclei.learning import training_machine
from pipeline.nuclei.learning.training_machine import TrainingMachine, whole_machine


@pytest.mark.parametrize(
    ("device", "cores", "threads", "workers"),
    [("cpu", 1, 1, 1), ("cpu", 2, 2, 1), ("cuda", 1, 1, 1), ("cuda", 16, 1, 15)],
)
def test_every_core_has_work(
    device: str, cores: int, threads: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(training_machine, "device_name", lambda name: name)
    assert whole_machine(device) == TrainingMachine(device, threads, workers)


def test_what_is_given_is_taken() -> None:
    assert whole_machine("cpu", threads=3, workers=0) == TrainingMachine("cpu", 3, 0)
    with pytest.raises(DeviceError, match="found 'tpu'"):
        whole_machine("tpu")
