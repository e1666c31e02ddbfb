"""Where torch runs."""

import torch

from pipeline.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """Device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises
    ------
    DeviceError
        If the name is unknown, or CUDA is asked for and absent.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device: expected auto, cpu or cuda, found {name!r}.")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise DeviceError(
            "device: cuda was asked for, but PyTorch finds no CUDA GPU; use cpu or auto, or mend the driver."
        )
    return torch.device("cuda" if name != "cpu" and present else "cpu")
