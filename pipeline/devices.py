"""Where networks run."""

import ctypes
import sys
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


def free_memory(card: "torch.device") -> int:
    """Bytes that this process may still take of a card: what nobody has, within what the process may hold."""
    import torch

    index = torch.cuda.current_device() if card.index is None else card.index
    free, total = torch.cuda.mem_get_info(index)
    used = torch.cuda.memory_allocated(index)
    held_unused = torch.cuda.memory_reserved(index) - used
    bound = int(total * torch.cuda.get_per_process_memory_fraction(index))
    return max(0, min(free + held_unused, bound - used))


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
