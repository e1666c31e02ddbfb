"""CSV artefacts: fixed columns, fixed number format, so the same rows give the same bytes."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.columns import conform
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
    """Read a CSV artefact; columns beyond ``columns`` stay text.

    Raises
    ------
    ArtefactError
        If the file is missing or unreadable, or lacks a column, or a cell breaks its dtype.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise ArtefactError(f"{path}: expected a CSV file of {kind}; it cannot be read ({error}).") from error
    return conform(frame, columns, path)
