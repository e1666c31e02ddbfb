"""Tables with a header: parquet whose metadata carries what the columns cannot."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.columns import conform
from pipeline.artefacts.header import check_header
from pipeline.errors import ArtefactError

HEADER_KEY = b"abignet"

ROWS_AT_ONCE = 20_000
"""Rows of a row group, the least that a reader which streams has to hold."""


@dataclass(frozen=True)
class HeadedTable:
    """A table and its header.

    Attributes
    ----------
    frame
        The rows, with exactly the columns and dtypes of its kind, then any extra ones.
    header
        JSON-ready: at least ``kind``, ``slide_id``, ``reason`` (why there is nothing to
        use, else None) and ``provenance``.
    """

    frame: pd.DataFrame
    header: dict[str, Any]

    @property
    def reason(self) -> str | None:
        """Why the slide has nothing to go on with; None when it has."""
        reason: str | None = self.header["reason"]
        return reason


def empty_frame(columns: Mapping[str, str]) -> pd.DataFrame:
    """Table of zero rows with ``columns`` (name to dtype)."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})


def write_table(path: str | Path, frame: pd.DataFrame, columns: Mapping[str, str], header: Mapping[str, Any]) -> None:
    """Write ``frame`` with ``header`` to a parquet file, atomically and reproducibly.

    Raises
    ------
    ArtefactError
        If a column is missing or cannot take its dtype.
    """
    checked = conform(frame, columns, path)
    table = pa.Table.from_pandas(checked, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), HEADER_KEY: json.dumps(dict(header), sort_keys=True).encode()}
    with writing(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(metadata), temporary, compression="zstd", row_group_size=ROWS_AT_ONCE
        )


def read_table(path: str | Path, kind: str, columns: Mapping[str, str]) -> HeadedTable:
    """Read a table of ``kind`` and check it.

    Raises
    ------
    ArtefactError
        If the file is missing, is not ours, is of another kind or version, or lacks a column.
    """
    header = read_table_header(path, kind)
    return HeadedTable(conform(pq.read_table(path).to_pandas(), columns, path), header)


def read_table_header(path: str | Path, kind: str) -> dict[str, Any]:
    """Header of a table of ``kind``, without its rows.

    Raises
    ------
    ArtefactError
        If the file is missing, is not ours, or is of another kind or version.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError(
            f"{path}: expected a table of {kind}; it cannot be read ({error}). Make it again."
        ) from error
    raw = metadata.get(HEADER_KEY)
    if raw is None:
        raise ArtefactError(
            f"{path}: expected a table of {kind} written by abignet; found a parquet file without its header."
        )
    header: dict[str, Any] = json.loads(raw)
    check_header(header, kind, path)
    return header


def iterate_table(path: str | Path, columns: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    """Rows of a table in order, at most ``ROWS_AT_ONCE`` in memory; see ``read_table``."""
    # Without pre_buffer=False the whole file is read ahead and kept.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield conform(batch.to_pandas(), columns, path)
