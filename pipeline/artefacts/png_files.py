"""PNG pictures of the pipeline, read only when every checksum in them holds."""

import io
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.artefacts.remedies import damaged

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LENGTH_BYTES = NAME_BYTES = CHECKSUM_BYTES = 4
LAST_CHUNK = b"IEND"


def read_png(path: str | Path, kind: str) -> npt.NDArray[np.uint8]:
    """Pixels of a picture beside a file of ``kind``, uint8 (height, width, 3).

    Raises
    ------
    ArtefactError
        If it is missing, damaged or no PNG picture.
    """
    try:
        content = Path(path).read_bytes()
        _check_chunks(content)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            return np.asarray(picture.convert("RGB"), np.uint8)
    except Exception as error:  # a picture that no checksum vouches for fails in any way
        raise damaged(kind, path, f"the picture is damaged ({error})") from error


def _check_chunks(content: bytes) -> None:
    """Walk the chunks (length, name, data, CRC-32 of name and data; PNG, third edition, section 5) to the last one."""
    if not content.startswith(SIGNATURE):
        raise ValueError("it does not begin as a PNG file does")
    place, name = len(SIGNATURE), b""
    while name != LAST_CHUNK:
        data = place + LENGTH_BYTES + NAME_BYTES
        end = data + int.from_bytes(content[place : place + LENGTH_BYTES], "big")
        name = content[data - NAME_BYTES : data]
        checksum = content[end : end + CHECKSUM_BYTES]
        if checksum != zlib.crc32(content[data - NAME_BYTES : end]).to_bytes(CHECKSUM_BYTES, "big"):
            raise ValueError("a checksum does not hold, or it ends early")
        place = end + CHECKSUM_BYTES
    if place != len(content):
        raise ValueError("something follows its end")
