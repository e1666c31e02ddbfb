"""Where networks run."""

import ctypes
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pipeline.errors import DeviceError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["cpu", "cuda"]


def device_name(name: str) -> DeviceName:
    """Device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Torch is imported only where CUDA's driver is installed.

    Raises
    ------
    DeviceError
        If the name is unknown, or CUDA is asked for and absent.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device: expected auto, cpu or cuda, found {name!r}.")
    if name == "cpu":
        return "cpu"
    present = _has_cuda()
    if name == "cuda" and not present:
        raise DeviceError(
            "device: cuda was asked for, but PyTorch finds no CUDA GPU; use cpu or auto, or mend the driver."
        )
    return "cuda" if present else "cpu"


def choose_device(name: str) -> "torch.device":
    """``device_name`` as torch's device."""
    import torch

    return torch.device(device_name(name))


def gpus_of_a_job(device: str, gpus: int) -> int:
    """Cards that a job of a network asks for: one with ``cuda``, and with ``auto`` where the user has some.

    Parameters
    ----------
    device, gpus
        The keys of the configuration.
    """
    return int(device == "cuda" or (device == "auto" and gpus > 0))


def require_solvable(environments: Iterable[str]) -> None:
    """Refuse environments for CUDA that conda would not solve on this machine.

    Parameters
    ----------
    environments
        Files of conda environments whose packages need CUDA.

    Raises
    ------
    DeviceError
        If there are any, the machine has no CUDA driver, and ``CONDA_OVERRIDE_CUDA`` does not stand in for it.
    """
    named = ", ".join(sorted(set(environments)))
    if named and not os.environ.get("CONDA_OVERRIDE_CUDA") and not has_driver():
        raise DeviceError(
            f"{named}: conda solves packages for CUDA only where it finds CUDA's driver, and this machine has none. "
            "Where jobs run on other machines, say which CUDA these have (`nvidia-smi` there tells): "
            "`export CONDA_OVERRIDE_CUDA=12.8`; else set device: cpu, or nuclei.segmenter: cellpose."
        )


def has_driver() -> bool:
    """Whether CUDA's driver is installed on this machine."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _has_cuda() -> bool:
    if not has_driver():
        return False
    import torch

    return torch.cuda.is_available()
