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
from pipeline.artefacts.parquet_seal import Seal, check_pages, read_seal, write_seal
from pipeline.artefacts.remedies import damaged, remedy
from pipeline.errors import ArtefactError, first_line

HEADER_KEY = b"abignet"

GEO_KEY = b"geo"
"""Where GeoParquet has its metadata (geoparquet.org, version 1.0.0)."""

HEADER_KEYS = ("slide_id", "reason", "provenance")
"""What every header holds beside its kind."""

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
    def upstream(self) -> dict[str, str]:
        """Digests of the files that the table was made from, by role, as far as they are recorded."""
        return dict(self.header["provenance"].get("upstream", {}))

    @property
    def reason(self) -> str | None:
        """Why the slide has nothing to go on with; None when it has."""
        reason: str | None = self.header["reason"]
        return reason


def empty_frame(columns: Mapping[str, str]) -> pd.DataFrame:
    """Table of zero rows with ``columns`` (name to dtype)."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})


def geo_metadata(column: str) -> dict[str, Any]:
    """What GeoParquet 1.0 says of a file whose ``column`` holds polygons as WKB, in no geographic system."""
    described = {"encoding": "WKB", "geometry_types": ["Polygon", "MultiPolygon"], "crs": None}
    return {"version": "1.0.0", "primary_column": column, "columns": {column: described}}


def write_table(
    path: str | Path,
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    header: Mapping[str, Any],
    geometry: str | None = None,
) -> None:
    """Write ``frame`` with ``header`` to a parquet file, atomically and reproducibly.

    Parameters
    ----------
    geometry
        Column of polygons as WKB, for which the file is a GeoParquet file as well; None for none.

    Raises
    ------
    ArtefactError
        If a column is missing or cannot take its dtype.
    """
    checked = conform(frame, columns, path)
    table = pa.Table.from_pandas(checked, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), HEADER_KEY: json.dumps(dict(header), sort_keys=True).encode()}
    if geometry is not None:
        metadata[GEO_KEY] = json.dumps(geo_metadata(geometry)).encode()
    with writing(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            temporary,
            compression="zstd",
            row_group_size=ROWS_AT_ONCE,
            write_page_checksum=True,
        )
        write_seal(temporary)


def read_table(path: str | Path, kind: str, columns: Mapping[str, str]) -> HeadedTable:
    """Read a table of ``kind`` and check it.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged, not ours, of another kind or version, or lacks a column.
    """
    seal, header = _sealed_header(path, kind)
    _check_pages(path, kind, seal)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            frame = file.read().to_pandas()
    except Exception as error:  # pages that no digest vouches for fail in any way
        raise _unreadable(path, kind, error) from error
    return HeadedTable(conform(frame, columns, path), header)


def read_table_header(path: str | Path, kind: str) -> dict[str, Any]:
    """Header of a table of ``kind``, without its rows.

    Raises
    ------
    ArtefactError
        If the file is missing, its header damaged, not ours, or of another kind or version.
    """
    return _sealed_header(path, kind)[1]


def iterate_table(path: str | Path, kind: str, columns: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    """Rows of a table in order, at most ``ROWS_AT_ONCE`` in memory.

    Raises
    ------
    ArtefactError
        See ``read_table``.
    """
    seal, _ = _sealed_header(path, kind)
    _check_pages(path, kind, seal)
    # Without pre_buffer=False the whole file is read ahead and kept.
    with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
        batches = file.iter_batches(ROWS_AT_ONCE)
        while (frame := _next_frame(batches, path, kind)) is not None:
            yield conform(frame, columns, path)


def _next_frame(batches: Iterator[pa.RecordBatch], path: str | Path, kind: str) -> pd.DataFrame | None:
    try:
        batch = next(batches, None)
        return None if batch is None else batch.to_pandas()
    except Exception as error:  # pages that no digest vouches for fail in any way
        raise _unreadable(path, kind, error) from error


def _sealed_header(path: str | Path, kind: str) -> tuple[Seal | None, dict[str, Any]]:
    """Seal of a table, its footer checked, and its header."""
    try:
        seal = read_seal(path)
        raw = (pq.read_schema(path).metadata or {}).get(HEADER_KEY)
        header: dict[str, Any] = {} if raw is None else dict(json.loads(raw))
    except Exception as error:  # a footer that no digest vouches for fails in any way
        raise _unreadable(path, kind, error) from error
    if raw is None:
        raise ArtefactError(
            f"{path}: expected a table of {kind} written by abignet; found a parquet file without its header."
        )
    check_header(header, kind, path, sealed=seal is not None)
    lacking = [key for key in HEADER_KEYS if key not in header]
    if lacking:
        raise damaged(kind, path, f"its header lacks {', '.join(lacking)}")
    return seal, header


def _check_pages(path: str | Path, kind: str, seal: Seal | None) -> None:
    try:
        if seal is not None:
            check_pages(path, seal)
    except (OSError, ValueError) as error:
        raise damaged(kind, path, f"the table is damaged: {error}") from error


def _unreadable(path: str | Path, kind: str, error: Exception) -> ArtefactError:
    return ArtefactError(
        f"{path}: expected a table of {kind}; it cannot be read ({first_line(error)}). {remedy(kind, path)}"
    )
