"""Files of ``torch.save``, written aside and renamed."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artefacts.atomic import writing


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
