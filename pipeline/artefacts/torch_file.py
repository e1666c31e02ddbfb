"""Files of ``torch.save``, written aside and renamed, and read without running what they might hold.

Such a file is a ZIP archive; ours carries the SHA-256 of all that is before it as the
archive's comment, which ``torch.load`` and every other reader of ZIP passes over.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artefacts.atomic import writing
from pipeline.errors import ArtefactError, first_line
from pipeline.logs import get_logger

if TYPE_CHECKING:
    import torch

log = get_logger("artefacts")

COMMENT_LENGTH_BYTES = 2
"""With the length of its comment ends a ZIP archive that has none."""

NO_COMMENT = bytes(COMMENT_LENGTH_BYTES)
COMMENT = b"sha256:"
COMMENT_BYTES = len(COMMENT) + 64


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
        temporary.write_bytes(_sealed(buffer.getvalue()))


def read_torch(path: str | Path, kind: str, remedy: str, device: "torch.device | str" = "cpu") -> Any:
    """Content of a file of ``kind``, its tensors on ``device``; ``remedy`` ends the message of a failure.

    Raises
    ------
    ArtefactError
        If it is missing, damaged, or holds anything but tensors and plain values.
    """
    import torch

    try:
        raw = Path(path).read_bytes()
        _check_seal(raw)
        return torch.load(io.BytesIO(raw), map_location=device, weights_only=True)
    except Exception as error:  # content that no digest vouches for fails in any way
        raise ArtefactError(f"{path}: expected {kind}; it cannot be read ({first_line(error)}). {remedy}") from error


def read_unfinished(path: str | Path, device: "torch.device | str" = "cpu") -> Any | None:
    """State of a training that was cut off, its tensors on ``device``; None when there is none to go on from.

    A file that cannot be read is removed, which is logged: it costs the work in it, never the result.
    """
    if not Path(path).exists():
        return None
    try:
        return read_torch(path, "the state of a training", "The training starts anew.", device)
    except ArtefactError as error:
        log.warning("%s", error)
        Path(path).unlink(missing_ok=True)
        return None


def is_sealed(path: str | Path) -> bool:
    """Whether a file that can be read carries its digest."""
    with Path(path).open("rb") as stream:
        stream.seek(-min(COMMENT_LENGTH_BYTES + COMMENT_BYTES, Path(path).stat().st_size), io.SEEK_END)
        return _stated_digest(stream.read()) is not None


def _sealed(archive: bytes) -> bytes:
    if not archive.endswith(NO_COMMENT):
        raise AssertionError("torch.save ends a file with the length of an empty comment")
    body = archive[:-COMMENT_LENGTH_BYTES]
    return body + COMMENT_BYTES.to_bytes(COMMENT_LENGTH_BYTES, "little") + COMMENT + _digest(body)


def _check_seal(raw: bytes) -> None:
    stated = _stated_digest(raw)
    if stated is not None and stated != _digest(memoryview(raw)[: -COMMENT_LENGTH_BYTES - COMMENT_BYTES]):
        raise ValueError("its content is not what was written")


def _stated_digest(end: bytes) -> bytes | None:
    comment = end[-COMMENT_BYTES:]
    length = end[-COMMENT_BYTES - COMMENT_LENGTH_BYTES : -COMMENT_BYTES]
    if not comment.startswith(COMMENT) or length != COMMENT_BYTES.to_bytes(COMMENT_LENGTH_BYTES, "little"):
        return None
    return comment[len(COMMENT) :]


def _digest(body: "bytes | memoryview[int]") -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
