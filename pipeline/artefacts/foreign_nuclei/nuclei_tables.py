"""Nuclei in tables: Parquet or CSV with a row a nucleus, such as Xenium's cells or QuPath's measurements.

Columns, by the first name that a table has:

==============  =================================================================================
what            names
==============  =================================================================================
place           ``x_um``, ``y_um`` (also ``x_centroid``, ``y_centroid`` of Xenium and ``Centroid X µm`` of QuPath) or
                ``x_px``, ``y_px`` (also ``x_l0``, ``Centroid X px``), pixels of level 0
type            ``type``, ``cell_type``, ``Classification``
outline         ``outline_um`` (also ``contour_um``), ``outline_px``, or ``outline`` (also ``geometry``) in the unit of
                the place: WKT, WKB or hexadecimal WKB
measures        those of a nucleus table, see ``artefacts.nuclei.COLUMNS``
==============  =================================================================================

Frame: from the corner of level 0.
"""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from pipeline.arrays import Float64s
from pipeline.artefacts.foreign_nuclei.found_nuclei import (
    FoundNuclei,
    Outlines,
    Unit,
    add_types,
    centroids,
    measure_name,
)
from pipeline.artefacts.regular_files import GZIP_MAGIC
from pipeline.errors import ImportedFileError

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "x_um": ("x_um", "x_centroid", "centroid x µm", "centroid x um"),
    "y_um": ("y_um", "y_centroid", "centroid y µm", "centroid y um"),
    "x_px": ("x_px", "x_l0", "centroid x px"),
    "y_px": ("y_px", "y_l0", "centroid y px"),
    "type": ("type", "cell_type", "classification"),
    "outline_um": ("outline_um", "contour_um"),
    "outline_px": ("outline_px",),
    "outline": ("outline", "geometry"),
}

PLACES_OF: Final[dict[Unit, tuple[str, str]]] = {"um": ("x_um", "y_um"), "px": ("x_px", "y_px")}

SEPARATORS = ",;\t"

POLYGONS = frozenset({3, 6})
"""Type numbers of shapely: Polygon, MultiPolygon."""


def table_nuclei(path: str | Path) -> FoundNuclei:
    """Nuclei of a Parquet or CSV table; see the module.

    Raises
    ------
    ImportedFileError
        If it cannot be read, does not say where nuclei lie, or a cell cannot be read; names column and row.
    """
    columns, first_row = _read(Path(path))
    unit = _unit(columns, path)
    outlines = _outlines(columns, unit, first_row, path)
    x, y = PLACES_OF[unit]
    if x in columns and y in columns:
        places = np.column_stack([_numbers(columns[name], name, first_row, path) for name in (x, y)])
    else:
        places = centroids(outlines)
    _check_places(places, first_row, path)
    frame = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]})
    for name, values in columns.items():
        measure = None if name in ROLES else measure_name(name)
        if measure is not None:
            frame[measure] = _numbers(values, name, first_row, path)
    if "type" in columns:
        add_types(frame, (None if pd.isna(name) else name for name in columns["type"]))
    return FoundNuclei("table", frame, outlines, unit, "level 0")


def _unit(columns: Mapping[str, Any], path: str | Path) -> Unit:
    """Unit of the places that the table gives."""
    given: list[Unit] = [unit for unit, names in PLACES_OF.items() if set(names) <= columns.keys()]
    if not given:
        given = [unit for unit in PLACES_OF if f"outline_{unit}" in columns]
    if len(given) == 1:
        return given[0]
    if given:
        raise ImportedFileError(
            f"{path}: places are given twice, in um and in pixels; expected x_um and y_um, or x_px and y_px. "
            "Leave one of the two out."
        )
    raise ImportedFileError(
        f"{path}: where nuclei lie is not told: expected the columns x_um and y_um (micrometres), x_px and y_px "
        f"(pixels of level 0), outline_um or outline_px, found {', '.join(map(str, columns)) or 'none'}. Rename or add "
        "them."
    )


def _read(path: Path) -> tuple[dict[str, "pd.Series[Any]"], int]:
    """Columns by role, or by their own name where they have none, and the number of the first row for people."""
    if path.exists() and not path.is_file():
        raise ImportedFileError(f"{path}: expected a table of nuclei, found no regular file.")
    try:
        is_parquet = path.name.lower().endswith((".parquet", ".pq"))
        table = _read_parquet(path) if is_parquet else _read_csv(path)
    except Exception as error:  # a damaged table fails in Arrow, pandas or gzip in any way
        raise ImportedFileError(f"{path}: expected a table of nuclei; it cannot be read ({error}).") from error
    by_look = {str(name).strip().replace("μ", "µ").lower(): name for name in reversed(table.columns.tolist())}
    roles = {}
    for role, names in ROLES.items():
        found = next((by_look[name] for name in names if name in by_look), None)
        if found is not None:
            roles[role] = table[found]
    own = {str(name): table[name] for name in table.columns if measure_name(str(name)) is not None}
    rest = {str(name): table[name] for name in table.columns if str(name) not in own}
    return {**rest, **own, **roles}, 0 if is_parquet else 2


def _read_parquet(path: Path) -> pd.DataFrame:
    table: pd.DataFrame = pq.ParquetFile(path).read().to_pandas()
    return table.reset_index() if table.index.name is not None else table


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open("rb") as stream:
        opener = gzip.open if stream.read(2) == GZIP_MAGIC else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
        header, first = text.readline(), text.readline()
        separator = max(SEPARATORS, key=header.count)
        text.seek(0)
        decimal = "," if separator == ";" and "," in first else "."
        # The default parser is off by a last digit.
        return pd.read_csv(text, sep=separator, decimal=decimal, low_memory=False, float_precision="round_trip")


def _numbers(values: "pd.Series[Any]", name: str, first_row: int, path: str | Path) -> Float64s:
    """A column as numbers; empty cells are NaN."""
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = np.flatnonzero((numbers.isna() & values.notna()).to_numpy())
    if len(wrong):
        raise ImportedFileError(
            f"{path}: row {first_row + int(wrong[0])}, column {name}: expected a number, found "
            f"{str(values.iloc[wrong[0]])!r}."
        )
    return numbers.to_numpy(np.float64, na_value=np.nan)


def _check_places(places: Float64s, first_row: int, path: str | Path) -> None:
    wrong = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(wrong):
        raise ImportedFileError(
            f"{path}: row {first_row + int(wrong[0])}: where the nucleus lies is empty or not finite "
            f"({len(wrong)} such row{'s' if len(wrong) > 1 else ''}). Remove or fill them."
        )


def _outlines(columns: Mapping[str, "pd.Series[Any]"], unit: Unit, first_row: int, path: str | Path) -> Outlines:
    n_rows = len(next(iter(columns.values())))
    other = {"um": "px", "px": "um"}[unit]
    name = next((name for name in (f"outline_{unit}", "outline") if name in columns), None)
    if name is None:
        if f"outline_{other}" in columns:
            raise ImportedFileError(
                f"{path}: outlines are in {other} and places in {unit}; expected one unit. Convert one of them."
            )
        return np.full(n_rows, None, dtype=object)
    given = columns[name].astype(object).to_numpy()
    missing = columns[name].isna().to_numpy() | np.array([value == "" for value in given], np.bool_)
    shapes = np.full(n_rows, None, dtype=object)
    shapes[~missing] = [_shape(value) for value in given[~missing]]
    wrong = np.flatnonzero(~missing & ~np.isin(shapely.get_type_id(shapes), list(POLYGONS)))
    if len(wrong):
        raise ImportedFileError(
            f"{path}: row {first_row + int(wrong[0])}, column {name}: expected a polygon as WKT or WKB, found "
            f"{str(given[wrong[0]])[:60]!r}."
        )
    shapes[shapely.is_empty(shapes)] = None
    return shapes


def _shape(value: Any) -> Any:
    """Shape of one cell of the outlines' column; None of what is none."""
    if isinstance(value, bytes):
        return shapely.from_wkb(value, on_invalid="ignore")
    text = str(value).strip()
    is_hexadecimal = text[:2] in ("00", "01")
    return (shapely.from_wkb if is_hexadecimal else shapely.from_wkt)(text, on_invalid="ignore")
