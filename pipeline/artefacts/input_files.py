"""The files that an input consists of: most slides are one file, some lie in many that stand beside it."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

FOLDER_FORMATS = frozenset({".mrxs", ".vms", ".vmu", ".dcm"})
"""Formats whose file stands beside its data, so that a link to it has to be followed."""

MOST_LISTED = 10_000
"""Files of one input that are looked at; a guard against a folder that is no input at all."""

HEAD_BYTES = 1 << 16
"""Bytes at the start of a file in which what it names or belongs to is looked for."""

SERIES_UID = re.compile(rb"\x20\x00\x0e\x00(?:UI)?(?P<length>..|....)(?P<uid>[0-9][0-9.]{1,63})\x00?", re.DOTALL)
"""SeriesInstanceUID (0020,000E) of little-endian DICOM, explicit or implicit; see DICOM PS3.5, section 7.1."""


def listed_files(path: str | Path) -> list[Path]:
    """Every file that may belong to an input, by name; the input itself where it is one file.

    Parameters
    ----------
    path
        A file, or a folder whose files count but for hidden ones; those of Zarr do count.

    Raises
    ------
    OSError
        If there is nothing, or something that is neither a file nor a folder, such as a pipe.
    """
    given = Path(path)
    if given.is_dir():
        return list(islice(_files_below(given), MOST_LISTED))
    if not given.is_file():
        given.stat()
        raise OSError(f"{given} is no regular file")
    suffix = given.suffix.lower()
    if suffix not in FOLDER_FORMATS:
        return [given]
    file = given.resolve()
    return [file, *islice(_beside(file, suffix), MOST_LISTED)]


def belonging_files(path: str | Path) -> list[Path]:
    """``listed_files`` without the DICOM files of other series that lie in the same folder.

    Raises
    ------
    OSError
        See ``listed_files``; if a file cannot be read.
    """
    files = listed_files(path)
    if Path(path).is_dir() or Path(path).suffix.lower() != ".dcm":
        return files
    series = _series_uid(files[0])
    return files if series is None else [file for file in files if _series_uid(file) == series]


def _beside(file: Path, suffix: str) -> Iterator[Path]:
    if suffix == ".mrxs":
        yield from _files_below(file.with_suffix(""))
    elif suffix == ".dcm":
        yield from (other for other in _files_in(file.parent) if other != file and other.suffix.lower() == suffix)
    else:
        yield from _named_in(file)


def _named_in(file: Path) -> Iterator[Path]:
    """Files of the same folder that a ``.vms`` or ``.vmu`` names as values of its keys."""
    lines = _head(file).decode("latin-1").splitlines()
    names = {value.strip() for line in lines for _, mark, value in [line.partition("=")] if mark}
    files = (file.parent / name for name in sorted(names) if name and Path(name).name == name)
    yield from (other for other in files if other.is_file())


def _files_below(folder: Path) -> Iterator[Path]:
    for root, folders, _ in os.walk(folder):
        folders.sort()
        yield from _files_in(Path(root))


def _files_in(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file() and _counts(entry.name))
    return (folder / name for name in names)


def _counts(name: str) -> bool:
    return not name.startswith(".") or name.startswith(".z")


def _series_uid(file: Path) -> bytes | None:
    found = SERIES_UID.search(_head(file))
    return None if found is None else found["uid"].rstrip(b"\0")


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(HEAD_BYTES)
