"""Write aside, then rename: a reader sees the old file or the whole new one, never half."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that takes its place when the block succeeds.

    The temporary may be written as a file or as a folder.  When the block raises, the
    temporary is removed and whatever stood at ``path`` is untouched.

    Parameters
    ----------
    path
        Where the finished file or folder shall be; parents are created.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffixes stay at the end, because writers choose a format by them.
    temporary = target.with_name(f".partial-{os.getpid()}-{target.name}")
    _remove(temporary)
    try:
        yield temporary
        _replace(temporary, target)
    finally:
        _remove(temporary)


def _replace(source: Path, target: Path) -> None:
    if source.is_dir() and target.is_dir():
        # A folder cannot be renamed onto a folder that holds files.
        previous = target.with_name(f".previous-{os.getpid()}-{target.name}")
        _remove(previous)
        target.rename(previous)
        source.rename(target)
        _remove(previous)
    else:
        source.replace(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
