"""Fingerprints of inputs kept beside the results, so that planning a run reads no slide twice.

The dates of a file say only whether its fingerprint has to be taken anew; they are kept in
this cache and in nothing that is made.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.fingerprint import fingerprint
from pipeline.artefacts.input_files import listed_files
from pipeline.artefacts.regular_files import read_user_text
from pipeline.errors import OutputError
from pipeline.logs import get_logger

log = get_logger("fingerprints")

CACHE_NAME = ".fingerprints.json"
FORMAT = 1
"""Of the cache; one of another format is begun anew."""

THREADS = 16
"""Inputs read at once; what is waited for is the file system."""

UNREADABLE = "unreadable"
"""Stands for the fingerprint of an input that cannot be read; the job that needs it says why."""

Entry = tuple[str, str]
"""Stamp of an input (digest of sizes and dates) and its fingerprint."""


class FingerprintCache:
    """Fingerprints by path, taken anew where size or dates of a file have changed.

    Several processes may use one cache at once: it is replaced whole, and what another one
    overwrites is taken anew.

    Parameters
    ----------
    path
        The cache; need not exist.
    inputs
        Inputs that will be asked for; missing ones are taken together, several at once.
    """

    def __init__(self, path: str | Path, inputs: Iterable[str | Path] = ()) -> None:
        self._path = Path(path)
        self._inputs = tuple(dict.fromkeys(str(Path(file).absolute()) for file in inputs))

    def of(self, path: str | Path) -> str:
        """Fingerprint of an input; ``UNREADABLE`` where there is none."""
        key = str(Path(path).absolute())
        entry = self._entries.get(key)
        if entry is None or entry[0] != _stamp(key):
            self._take((key, *(file for file in self._inputs if file != key)))
        return self._entries[key][1]

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return _read(self._path)

    def _take(self, keys: Sequence[str]) -> None:
        """Take the fingerprints of all ``keys`` whose stamp is not the one that is known, and keep them."""
        with ThreadPoolExecutor(THREADS) as threads:
            stamps = dict(zip(keys, threads.map(_stamp, keys), strict=True))
            changed = [key for key, stamp in stamps.items() if self._entries.get(key, ("", ""))[0] != stamp]
            taken = dict(zip(changed, threads.map(_fingerprint, changed), strict=True))
        self._entries.update({key: (stamps[key], taken[key]) for key in changed})
        _write(self._path, {**_read(self._path), **self._entries})


def known_paths(path: str | Path) -> dict[str, Path]:
    """Inputs by the fingerprint that a cache keeps of them; nothing where there is no cache."""
    return {taken: Path(key) for key, (_, taken) in _read(Path(path)).items()}


def _stamp(key: str) -> str:
    """Digest of the sizes and dates of all files of an input; the date of change catches what keeps the other."""
    try:
        states = [(file, file.stat()) for file in listed_files(key)]
    except OSError:
        return UNREADABLE
    stated = [f"{file}\0{s.st_size}\0{s.st_mtime_ns}\0{s.st_ctime_ns}\0" for file, s in states]
    return hashlib.sha256("".join(stated).encode(errors="surrogateescape")).hexdigest()[:16]


def _fingerprint(key: str) -> str:
    try:
        return fingerprint(key)
    except OSError:
        return UNREADABLE


def _read(path: Path) -> dict[str, Entry]:
    """What a cache holds; nothing where there is none or it is damaged, which is said."""
    try:
        content = json.loads(read_user_text(path))
        if content["format"] != FORMAT:
            return {}
        return {key: _entry(*values) for key, values in content["fingerprints"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning("%s: the cache of fingerprints is damaged (%s) and begun anew", path, error)
        return {}


def _entry(stamp: object, taken: object) -> Entry:
    if not (isinstance(stamp, str) and isinstance(taken, str)):
        raise TypeError(f"expected two texts, found {stamp!r} and {taken!r}")
    return stamp, taken


def _write(path: Path, entries: Mapping[str, Entry]) -> None:
    kept = {key: entry for key, entry in sorted(entries.items()) if UNREADABLE not in entry}
    content = {"format": FORMAT, "fingerprints": kept}
    try:
        with writing(path) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    except (OutputError, OSError) as error:
        log.warning("fingerprints of inputs are not kept, so that the next run takes them again: %s", error)
