"""What of a machine a training uses; nothing of it changes the crops."""

import os
from dataclasses import dataclass

from pipeline.devices import device_name


@dataclass(frozen=True)
class TrainingMachine:
    """Device, threads and processes of a training.

    Attributes
    ----------
    device
        See ``choose_device``.
    threads
        Of torch on the CPU; another number may change the last bits of the weights.
    workers
        Processes that make crops ahead of the training; 0 makes them in the training's own.
    """

    device: str = "cpu"
    threads: int = 1
    workers: int = 0


def whole_machine(device: str, *, threads: int | None = None, workers: int | None = None) -> TrainingMachine:
    """Machine whose every available core works; what is not None is taken as given.

    On the CPU the network has a thread a core and one process makes its crops, a fifth of the
    work; on a card the making of crops is the limit, and every core but one makes them.

    Raises
    ------
    DeviceError
        See ``device_name``.
    """
    place = device_name(device)
    cores = len(os.sched_getaffinity(0))
    return TrainingMachine(
        device=place,
        threads=(1 if place == "cuda" else cores) if threads is None else threads,
        workers=(max(1, cores - 1) if place == "cuda" else 1) if workers is None else workers,
    )
