"""The columns of a table: each there, each of its dtype."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import ArtefactError


def conform(frame: pd.DataFrame, columns: Mapping[str, str], path: str | Path) -> pd.DataFrame:
    """``frame`` with ``columns`` (name to dtype) first and in order, then its further ones.

    Raises
    ------
    ArtefactError
        If a column is missing or cannot take its dtype; names the file at ``path``.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ArtefactError(
            f"{path}: column{'s' if len(missing) > 1 else ''} {', '.join(missing)} missing; "
            f"found {', '.join(map(str, frame.columns)) or 'none'}."
        )
    ordered = frame[[*columns, *(name for name in frame.columns if name not in columns)]].copy()
    for name, dtype in columns.items():
        try:
            ordered[name] = typed_column(ordered[name], dtype)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ArtefactError(f"{path}: column {name} cannot be {dtype} ({error}).") from error
    return ordered.reset_index(drop=True)


def typed_column(column: "pd.Series[Any]", dtype: str) -> "pd.Series[Any]":
    """``column`` as ``dtype``: ``str``, ``bool`` (True or False), or a numpy dtype, where '' is NaN for floats."""
    if dtype == "str":
        return column.astype(object)
    if column.dtype == object and dtype == "bool":
        return column.map({"True": True, "False": False, True: True, False: False}).astype(np.bool_)
    if column.dtype == object and dtype.startswith("float"):
        return column.mask(column.astype(str) == "").astype(np.dtype(dtype))
    return column.astype(np.dtype(dtype))
