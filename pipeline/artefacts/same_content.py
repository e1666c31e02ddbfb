"""Which of many files hold the same bytes: sizes first, then fingerprints, and whole files for the last doubt only.

Names of one file (equal paths, links) hold the same bytes.  A slide of several files is
compared with all of them.  Files that cannot be read, and empty ones, have no content.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from pipeline.artefacts.fingerprint import fingerprint
from pipeline.artefacts.input_files import belonging_files, listed_files

Group = list[Path]

FingerprintsOf = Callable[[Sequence[Path]], Iterable[str]]
"""Fingerprints of files, one each, in their order; see ``pipeline.artefacts.fingerprint``."""


def likely_same(files: Iterable[Path], fingerprints_of: FingerprintsOf) -> list[Group]:
    """Groups of two or more of ``files`` that have one size and one fingerprint.

    Parameters
    ----------
    fingerprints_of
        Asked once, for the files whose size another file has.
    """
    names = _names_by_file(files)
    of_one_size = _split(names, _total_bytes)
    asked = list(chain(*of_one_size))
    fingerprints = dict(zip(asked, fingerprints_of(asked), strict=True)) if asked else {}
    return _all_names(names, [finer for group in of_one_size for finer in _split(group, fingerprints.__getitem__)])


def taken_fingerprints(files: Sequence[Path]) -> Iterable[str]:
    """``FingerprintsOf`` that reads each file; one that cannot be read has an empty fingerprint."""
    for file in files:
        try:
            yield fingerprint(file)
        except OSError:
            yield ""


def surely_same(files: Iterable[Path]) -> list[Group]:
    """Groups of two or more of ``files`` that hold the same bytes; different files are read whole."""
    names = _names_by_file(files)
    return _all_names(names, _split(names, _content_digest) if len(names) > 1 else [])


def _all_names(names: Mapping[Path, Group], groups: Sequence[Group]) -> list[Group]:
    """Groups of files with all their names, and files in no group that have several."""
    alone = [[file] for file in set(names).difference(chain(*groups))]
    named = [[name for file in group for name in names[file]] for group in (*groups, *alone)]
    return [group for group in named if len(group) > 1]


def _names_by_file(files: Iterable[Path]) -> dict[Path, Group]:
    """The names of each file that exists, by the first of them."""
    names: dict[Hashable, Group] = defaultdict(list)
    for file in files:
        try:
            state = file.stat()
        except (OSError, ValueError):
            continue
        names[state.st_dev, state.st_ino].append(file)
    return {several[0]: several for several in names.values()}


def _split(files: Iterable[Path], part: Callable[[Path], Hashable]) -> list[Group]:
    """Groups of two or more files that are the same in ``part``, where it is not zero or empty."""
    parts = defaultdict(list)
    for file in files:
        try:
            parts[part(file)].append(file)
        except OSError:
            continue
    return [group for value, group in parts.items() if len(group) > 1 and value]


def _total_bytes(file: Path) -> int:
    return sum(part.stat().st_size for part in listed_files(file))


def _content_digest(file: Path) -> str:
    """Digest of all files that ``file`` consists of, whatever their names."""
    digests = []
    for part in belonging_files(file):
        with part.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
