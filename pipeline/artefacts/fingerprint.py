"""What tells one input from another without reading it whole: its size and some of its bytes.

A fingerprint depends on content alone: a copy with another name or date has the same one.
It misses a change that leaves the size as it is and lies between the bytes that are read;
of an input of very many files, also one inside a file that is not sampled.
"""

import hashlib
from pathlib import Path

from pipeline.artefacts.input_files import belonging_files

BLOCK_BYTES = 1 << 16
"""Bytes read at the start, around the middle and at the end; hashing gigabytes would cost more than tiling."""

MOST_SAMPLED = 32
"""Files of one input whose bytes are read, evenly spread over them; of the others the size counts."""


def fingerprint(path: str | Path) -> str:
    """Fingerprint of an input, 16 hex digits.

    Parameters
    ----------
    path
        A file, a slide of several files such as MRXS, or a folder such as a Zarr store.  A
        file of up to three times ``BLOCK_BYTES`` is covered wholly.  Names count inside a
        folder only.

    Raises
    ------
    OSError
        If it is missing, cannot be read, or is no file or folder, such as a pipe.
    """
    given = Path(path)
    sized = [(file, file.stat().st_size) for file in belonging_files(given)]
    if given.is_dir():
        names = [file.relative_to(given).as_posix() for file, _ in sized]
    else:
        sized.sort(key=lambda part: (part[1], part[0].name))
        names = [""] * len(sized)
    digest = hashlib.sha256()
    for name, (_, size) in zip(names, sized, strict=True):
        digest.update(f"{name}\0{size}\0".encode())
    for file, size in _evenly(sized):
        digest.update(_sampled_bytes(file, size))
    return digest.hexdigest()[:16]


def _evenly(sized: list[tuple[Path, int]]) -> list[tuple[Path, int]]:
    """At most ``MOST_SAMPLED`` of the files, the first and the last among them."""
    n_files = len(sized)
    if n_files <= MOST_SAMPLED:
        return sized
    return [sized[place * (n_files - 1) // (MOST_SAMPLED - 1)] for place in range(MOST_SAMPLED)]


def _sampled_bytes(file: Path, size: int) -> bytes:
    """First, middle and last block of a file; the whole of one that they would cover."""
    with file.open("rb") as stream:
        if size <= 3 * BLOCK_BYTES:
            return stream.read(3 * BLOCK_BYTES)
        blocks = []
        for start in (0, (size - BLOCK_BYTES) // 2, size - BLOCK_BYTES):
            stream.seek(start)
            blocks.append(stream.read(BLOCK_BYTES))
        return b"".join(blocks)
