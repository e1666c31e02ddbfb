"""The seal of a parquet file: digests of its pages and of its footer.

It lies between the two, where readers of parquet do not look, since they go from the end
to the footer and from there by offsets to the pages::

    "PAR1"  pages  "abignet" 2  SHA-256 of all before  SHA-256 of all after  footer  length of footer  "PAR1"

The checksums of pages that parquet has itself cover neither the headers of pages nor the footer.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"abignet\x02"
DIGEST_BYTES = 32
SEAL_BYTES = len(MAGIC) + 2 * DIGEST_BYTES

END = b"PAR1"
END_BYTES = 4 + len(END)
"""Length of the footer, then the magic number."""

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Seal:
    """What the seal of a file says.

    Attributes
    ----------
    n_page_bytes
        How many bytes lie before it.
    pages, footer
        SHA-256 of what lies before and after it.
    """

    n_page_bytes: int
    pages: bytes
    footer: bytes


def write_seal(path: Path) -> None:
    """Put a seal into a finished parquet file.

    Raises
    ------
    ValueError
        If it is none.
    """
    with path.open("r+b") as stream:
        start = _footer_start(stream)
        stream.seek(start)
        footer = stream.read()
        pages = _digest(stream, start)
        stream.seek(start)
        stream.write(MAGIC + pages + hashlib.sha256(footer).digest() + footer)


def read_seal(path: str | Path) -> Seal | None:
    """The seal of a parquet file, its footer checked against it; None of a file without.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no parquet file, or its footer is not the one that was sealed.
    """
    with Path(path).open("rb") as stream:
        start = _footer_start(stream)
        if start < SEAL_BYTES:
            return None
        stream.seek(start - SEAL_BYTES)
        seal, footer = stream.read(SEAL_BYTES), stream.read()
    if not seal.startswith(MAGIC):
        return None
    if hashlib.sha256(footer).digest() != seal[-DIGEST_BYTES:]:
        raise ValueError("its footer is not the one that was written")
    return Seal(start - SEAL_BYTES, seal[len(MAGIC) : -DIGEST_BYTES], seal[-DIGEST_BYTES:])


def check_pages(path: str | Path, seal: Seal) -> None:
    """Compare the pages of a file with its seal.

    Raises
    ------
    ValueError
        If they are not those that were sealed.
    """
    with Path(path).open("rb") as stream:
        if _digest(stream, seal.n_page_bytes) != seal.pages:
            raise ValueError("its rows are not those that were written")


def _footer_start(stream: BinaryIO) -> int:
    size = stream.seek(0, os.SEEK_END)
    if size < END_BYTES:
        raise ValueError(f"it is cut off after {size} bytes")
    stream.seek(size - END_BYTES)
    end = stream.read(END_BYTES)
    start = size - END_BYTES - int.from_bytes(end[:4], "little")
    if not end.endswith(END) or start < 0:
        raise ValueError("it does not end as a parquet file does")
    return start


def _digest(stream: BinaryIO, n_bytes: int) -> bytes:
    """SHA-256 of the first ``n_bytes``."""
    digest, left = hashlib.sha256(), n_bytes
    stream.seek(0)
    while left and (block := stream.read(min(BLOCK_BYTES, left))):
        digest.update(block)
        left -= len(block)
    return digest.digest()
