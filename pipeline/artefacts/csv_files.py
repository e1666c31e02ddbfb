"""CSV files: fixed columns, fixed number format, so the same rows give the same bytes.

A CSV file has no place for a digest of itself: the provenance beside it holds that, see ``json_files.with_digests``.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.columns import conform
from pipeline.artefacts.json_files import digest_beside
from pipeline.artefacts.remedies import damaged
from pipeline.artefacts.unverified import FOREIGN, say_unverified
from pipeline.errors import ArtefactError

FLOAT_FORMAT = "%.9g"
"""Nine digits tell any two float32 apart."""


def write_csv(path: str | Path, frame: pd.DataFrame, columns: Mapping[str, str]) -> None:
    """Write ``frame`` as CSV in UTF-8, atomically; undefined values are empty cells.

    Parameters
    ----------
    columns
        Name to dtype of the columns that must be there; further ones follow them.

    Raises
    ------
    ArtefactError
        If a column is missing or cannot take its dtype.
    """
    checked = conform(frame, columns, path)
    with writing(path) as temporary:
        checked.to_csv(temporary, index=False, float_format=FLOAT_FORMAT, lineterminator="\n", encoding="utf-8")


def read_csv(path: str | Path, kind: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read a CSV file; columns beyond ``columns`` stay text.

    Raises
    ------
    ArtefactError
        If the file is missing or unreadable, or lacks a column, or a cell breaks its dtype.
    """
    return _table(_content(path, kind), path, kind, columns)


def read_sealed_csv(path: str | Path, kind: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """``read_csv`` of a file of the pipeline, which must be the one that was written.

    Where no provenance beside it knows the file, it is said to be read unverified.

    Raises
    ------
    ArtefactError
        See ``read_csv``; also if the file is not what was written, or the provenance is damaged.
    """
    content, expected = _content(path, kind), digest_beside(path)
    if expected is None:
        say_unverified(path, FOREIGN)
    elif hashlib.sha256(content).hexdigest()[: len(expected)] != expected:
        raise damaged(kind, path, "it is damaged or was edited: it is not what was written")
    return _table(content, path, kind, columns)


def _content(path: str | Path, kind: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path}: expected a CSV file of {kind}; it cannot be read ({error}).") from error


def _table(content: bytes, path: str | Path, kind: str, columns: Mapping[str, str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8")
    except Exception as error:  # content that no digest vouches for fails in any way
        raise ArtefactError(f"{path}: expected a CSV file of {kind}; it cannot be read ({error}).") from error
    return conform(frame, columns, path)
