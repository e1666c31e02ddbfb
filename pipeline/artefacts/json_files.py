"""JSON artefacts, among them the ``provenance.json`` beside files that hold no header; each holds its digest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.header import check_version, stated_version
from pipeline.artefacts.remedies import damaged
from pipeline.artefacts.unverified import FOREIGN, say_unverified
from pipeline.errors import ArtefactError
from pipeline.provenance import file_digest

PROVENANCE = "provenance.json"

DIGEST = "digest"
"""Key of a file's digest, of all its other keys."""


FILES = "files"
"""Key of the digests of files beside it, by name."""


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` and its digest atomically, keys in their order; NaN is refused, null is not."""
    plain = json.loads(json.dumps(content, allow_nan=False))
    sealed = {**plain, DIGEST: json_digest(plain)}
    with writing(path) as temporary:
        temporary.write_text(json.dumps(sealed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def json_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of keys and values, 16 hex digits; neither the order of keys nor white space matters."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_json(path: str | Path, kind: str) -> dict[str, Any]:
    """Read a JSON object that ``write_json`` has written, without its digest.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged, or holds no JSON object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{path}: expected {kind} as JSON; it cannot be read ({error}).") from error
    if not isinstance(content, dict):
        raise ArtefactError(f"{path}: expected {kind} as a JSON object, found {type(content).__name__}.")
    stated = content.pop(DIGEST, None)
    if stated is not None and stated != json_digest(content):
        raise damaged(kind, path, "it is damaged or was edited: its content is not what was written")
    if stated_version(content) is not None:
        check_version(content, "provenance", path, sealed=stated is not None)
    elif stated is None:
        say_unverified(path, FOREIGN)
    return content


def write_provenance(folder: str | Path, record: Mapping[str, Any], files: Sequence[str] = ()) -> None:
    """Write ``provenance.json`` in ``folder``, with the digests of those of its files that cannot hold their own.

    Parameters
    ----------
    files
        Names of CSV files in ``folder``, which are there.
    """
    write_json(Path(folder) / PROVENANCE, with_digests(record, folder, files))


def with_digests(record: Mapping[str, Any], folder: str | Path, files: Sequence[str]) -> dict[str, Any]:
    """``record`` with the digests of ``files`` of ``folder``, by name."""
    return {**record, FILES: {name: file_digest(Path(folder) / name) for name in files}}


def write_provenance_of(path: str | Path, record: Mapping[str, Any], others: Sequence[str] = ()) -> None:
    """Write ``{stem}.provenance.json`` beside the CSV file at ``path``, where its folder holds files of other making.

    Parameters
    ----------
    others
        Names of further CSV files of the same making in that folder.
    """
    file = Path(path)
    write_json(file.with_suffix(f".{PROVENANCE}"), with_digests(record, file.parent, [file.name, *others]))


def digest_beside(path: str | Path) -> str | None:
    """Digest of the file at ``path`` as it was written: what a provenance beside it says, else None.

    Raises
    ------
    ArtefactError
        If that provenance is damaged.
    """
    file, stem = Path(path), Path(path).name
    names = []
    while "." in stem:
        stem = stem.rpartition(".")[0]
        names.append(f"{stem}.{PROVENANCE}")
    for provenance in map(file.with_name, (*names, PROVENANCE)):
        files = read_json(provenance, "provenance").get(FILES) if provenance.is_file() else None
        if isinstance(files, dict) and file.name in files:
            return str(files[file.name])
    return None
