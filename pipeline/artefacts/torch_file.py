"""Files of ``torch.save``, written aside and renamed, and read without running what they might hold."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artefacts.atomic import writing
from pipeline.errors import ArtefactError

if TYPE_CHECKING:
    import torch


def write_torch(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write ``content``; the same content gives the same bytes, whatever the file's name.

    Raises
    ------
    OutputError
        If the place cannot be written to.
    """
    import torch

    # Through a buffer: torch writes a file's name into the archive, and hides why a disk refuses.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read_torch(path: str | Path, kind: str, remedy: str, device: "torch.device | str" = "cpu") -> Any:
    """Content of a file of ``kind``, its tensors on ``device``; ``remedy`` ends the message of a failure.

    Raises
    ------
    ArtefactError
        If it is missing, damaged, or holds anything but tensors and plain values.
    """
    import torch

    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise ArtefactError(f"{path}: expected {kind}; it cannot be read ({error}). {remedy}") from error
