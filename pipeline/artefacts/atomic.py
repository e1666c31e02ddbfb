"""Write aside, then rename: a reader sees the old file or the whole new one, never half.

A writer that is killed leaves its temporary (``.partial-*``) and, between the two renames
of a folder, the old one (``.previous-*``) beside the target; the next writer of the same
target puts the old one back where the target is missing, and sweeps the rest.
"""

import errno
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import UNWRITABLE, OutputError

FOREIGN_STALE_S = 86_400.0
"""A leftover of another machine, whose processes cannot be asked, is swept when a day has not touched it."""


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that takes its place when the block succeeds.

    The temporary may be written as a file or as a folder.  When the block raises, the
    temporary is removed and whatever stood at ``path`` is untouched.

    Parameters
    ----------
    path
        Where the finished file or folder shall be; parents are created.

    Raises
    ------
    OutputError
        If the disk is full, the folder is read-only, one of its parents is a file, or the
        system refuses for another reason in ``UNWRITABLE``; the message names ``path`` and
        the system's words.
    """
    target = Path(path)
    temporary = _beside(target, "partial")
    try:
        _make_folder(target)
        _sweep(target)
        try:
            yield temporary
            _replace(temporary, target)
        finally:
            remove(temporary)
    except OSError as error:
        # tifffile tells a short write in words alone.
        number = errno.ENOSPC if error.errno is None and "requested and" in str(error) else error.errno
        if number not in UNWRITABLE:
            raise
        raise OutputError(
            f"{target}: cannot be written: {os.strerror(number or 0)}. "
            "Whatever stood there is untouched; make room or mend the permissions, or choose another place."
        ) from error


def require_folder(path: str | Path) -> None:
    """Check that ``path`` is a folder or can become one.

    Raises
    ------
    OutputError
        If it, or one of its parents, is a file.
    """
    folder = Path(path)
    blocker = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if os.path.lexists(blocker) and not blocker.is_dir():
        raise OutputError(f"{folder}: cannot be written: {blocker} is no folder; choose another place.")


def _make_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        blocker = next(parent for parent in target.parents if parent.exists())
        raise OutputError(f"{target}: cannot be written: {blocker} is no folder; choose another place.") from error


def _beside(target: Path, role: str) -> Path:
    """Name of this process' ``role`` of ``target``; its suffixes stay at the end, because writers choose by them."""
    return target.with_name(f".{role}-{socket.gethostname()}-{os.getpid()}@{target.name}")


def _replace(source: Path, target: Path) -> None:
    """Rename onto the target; the last of several writers wins, and none of them fails."""
    if not source.is_dir():
        source.replace(target)
        return
    # A folder cannot be renamed onto a folder that holds files.
    previous = _beside(target, "previous")
    while not _renamed(source, target):
        remove(previous)
        # Another writer may have moved it away.
        with suppress(FileNotFoundError):
            target.rename(previous)
    remove(previous)


def _renamed(folder: Path, target: Path) -> bool:
    """Whether a folder could be renamed: not onto one that holds files."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _sweep(target: Path) -> None:
    """Put back or remove what dead writers of ``target`` left."""
    ours = re.compile(rf"\.(partial|previous)-([^@]+)-(\d+)@{re.escape(target.name)}")
    with os.scandir(target.parent) as entries:
        left = sorted(entry.name for entry in entries if entry.name.startswith((".partial-", ".previous-")))
    for match in filter(None, map(ours.fullmatch, left)):
        path = target.with_name(match[0])
        role, host, process = match.groups()
        if _is_alive(path, host, int(process)):
            continue
        if role == "previous" and not target.exists():
            path.rename(target)
        else:
            remove(path)


def _is_alive(leftover: Path, host: str, process: int) -> bool:
    if host != socket.gethostname():
        try:
            return time.time() - leftover.stat().st_mtime < FOREIGN_STALE_S
        except FileNotFoundError:  # its writer has just finished
            return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A number that is this process' own was another's before: nobody writes one target twice at once.
    return process != os.getpid()


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with what it holds; one that is not there is removed already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
