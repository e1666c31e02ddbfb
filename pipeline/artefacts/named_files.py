"""The files that a sheet names: whether they are there, and what lies beside one that is not."""

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.artefacts.spelling import look, spelled

FOLDERS = frozenset({".zarr"})
"""Endings of what is a folder and read as one file."""


def missing_files(files: Iterable[Path]) -> dict[Path, str]:
    """Those of ``files`` that are none, each with the reason and a file beside it whose name only looks the same."""
    reasons = {file: reason for file in dict.fromkeys(files) if (reason := _reason(file))}
    names = {folder: _names_by_look(folder) for folder in {file.parent for file in reasons}}
    return {file: f"{reason}{_beside(file, names[file.parent])}" for file, reason in reasons.items()}


def _reason(file: Path) -> str | None:
    try:
        kind = file.stat().st_mode
    except FileNotFoundError:
        return f"no such file: {spelled(str(file))}"
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        return f"no such file can be looked at ({words}): {spelled(str(file))}"
    if stat.S_ISREG(kind) or (stat.S_ISDIR(kind) and file.suffix in FOLDERS):
        return None
    return f"expected a file, found a {'folder' if stat.S_ISDIR(kind) else 'pipe or a device'}: {spelled(str(file))}"


def _names_by_look(folder: Path) -> dict[str, str]:
    try:
        return {look(file.name): file.name for file in folder.iterdir()}
    except (OSError, ValueError):
        return {}


def _beside(file: Path, names: Mapping[str, str]) -> str:
    meant = names.get(look(file.name))
    if meant is None or meant == file.name:
        return ""
    return f"; beside it lies {spelled(meant, file.name)}, which only looks the same"
