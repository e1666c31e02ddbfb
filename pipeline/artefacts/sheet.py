"""The sheet of slides, ``slides.csv``: read once, checked wholly, all faults at once.

Rows are numbered as a spreadsheet shows them: the header is row 1.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artefacts.regular_files import read_user_text
from pipeline.artefacts.sheet_columns import COLUMNS
from pipeline.errors import SheetError

FILE_COLUMNS = ("path", "features", "mask", "tiles")
"""Columns that name a file, relative to the sheet."""


@dataclass(frozen=True)
class SlideRow:
    """One slide or image of the cohort.

    Attributes
    ----------
    slide_id
        Unique name, also the name of the slide's artefacts.
    path
        The slide or image; None when only ``features`` is given.
    features
        Existing node features that take the place of computed ones.
    label
        Class; None for a slide that is only predicted.
    case_id
        Patient; the slide itself when the sheet names none.
    case_given
        Whether the sheet names the patient.
    mpp
        um per level-0 pixel from the sheet; None to read it from the file.
    fold
        Test fold from the sheet.
    mask
        GeoJSON of regions in QuPath's level-0 pixels.
    tiles
        Coordinates of tiles to use instead of the grid; see ``pipeline.artefacts.tile_coords``.
    """

    slide_id: str
    path: Path | None = None
    features: Path | None = None
    label: str | None = None
    case_id: str = ""
    case_given: bool = False
    mpp: float | None = None
    fold: int | None = None
    mask: Path | None = None
    tiles: Path | None = None

    def plain(self) -> dict[str, Any]:
        """The row as text and numbers; see ``rows_from_plain``."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}


def rows_from_plain(rows: Iterable[Mapping[str, Any]]) -> tuple[SlideRow, ...]:
    """Rows from what ``SlideRow.plain`` made of them."""
    return tuple(_row_from_plain(row) for row in rows)


def _row_from_plain(values: Mapping[str, Any]) -> SlideRow:
    paths = {name: Path(values[name]) for name in FILE_COLUMNS if values.get(name) is not None}
    return SlideRow(**{**values, **paths})


def read_sheet(path: str | Path) -> tuple[SlideRow, ...]:
    """Read and check a sheet of slides.

    Raises
    ------
    SheetError
        With every fault of the sheet: unreadable file, unknown or repeated column, cell
        that breaks the schema, duplicate id, missing file, patient in two folds, fold
        given for some labelled slides only.
    """
    sheet = Path(path)
    numbered = _read_cells(sheet)
    faults: list[str] = []
    rows: list[tuple[int, SlideRow]] = []
    for number, cells in numbered:
        typed = {column: _typed(column, text) for column, text in cells.items()}
        broken = _cell_faults(number, typed)
        faults += broken
        if not broken:
            rows.append((number, _row(typed, sheet.parent)))
    faults += [fault for number, row in rows for fault in _file_faults(number, row)]
    faults += _duplicate_faults(numbered)
    faults += _fold_faults(rows)
    if not numbered:
        faults.append("no slide: expected at least one row below the header")
    if faults:
        raise SheetError(str(path), sorted(faults, key=_row_number))
    return tuple(row for _, row in rows)


def _read_cells(sheet: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        lines = list(csv.reader(io.StringIO(read_user_text(sheet), newline="")))
    except FileNotFoundError as error:
        raise SheetError(
            str(sheet), ["no such file; write a sheet with at least the columns slide_id and path"]
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SheetError(str(sheet), [f"expected a CSV file in UTF-8, found: {error}"]) from error
    columns = [name.strip() for name in lines[0]] if lines else []
    if faults := _header_faults(columns):
        raise SheetError(str(sheet), faults)
    cells = []
    faults = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(text.strip() for text in line):
            continue
        if len(line) > len(columns):
            faults.append(
                f"row {number}: expected {len(columns)} cells, found {len(line)}; quote cells that hold a comma"
            )
        cells.append((number, {c: t.strip() for c, t in zip(columns, line, strict=False) if t.strip()}))
    if faults:
        raise SheetError(str(sheet), faults)
    return cells


def _header_faults(columns: list[str]) -> list[str]:
    known = list(COLUMNS)
    faults = [f"row 1: column {name!r} stands {n} times" for name, n in Counter(columns).items() if n > 1]
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t"):
        return ["row 1: cells are not separated by commas; save the sheet as comma-separated CSV"]
    if "slide_id" not in columns:
        faults.append(f"row 1: column slide_id is missing; found {', '.join(columns) or 'nothing'}")
    faults += [f"row 1: unknown column {name!r}; known are {', '.join(known)}" for name in columns if name not in known]
    return faults


def _typed(column: str, text: str) -> Any:
    number = {"mpp": float, "fold": int}.get(column)
    if number is None:
        return text
    try:
        return number(text)
    except ValueError:
        return text


def _cell_faults(number: int, cells: Mapping[str, Any]) -> list[str]:
    faults = [] if "slide_id" in cells else [f"row {number}: slide_id is empty"]
    for name, value in cells.items():
        if not COLUMNS[name].rule.allows(value):
            faults.append(f"row {number}, column {name}: expected {COLUMNS[name].description}; found {value!r}")
    if not ({"path", "features"} & cells.keys()):
        faults.append(f"row {number}: expected a path or features, found neither")
    if "tiles" in cells:
        faults += _tiles_faults(number, cells)
    return faults


def _tiles_faults(number: int, cells: Mapping[str, Any]) -> list[str]:
    """What stands in the way of the coordinates in column ``tiles``."""
    where = f"row {number}, column tiles: coordinates of tiles"
    faults = []
    if "path" not in cells:
        faults.append(f"{where} need the slide they are of in column path, found none")
    if "mask" in cells:
        faults.append(f"{where} and a mask both say which tiles are used; leave one of the two empty")
    if "features" in cells:
        faults.append(f"{where} are not used where features are given; leave one of the two empty")
    return faults


def _row(cells: Mapping[str, Any], folder: Path) -> SlideRow:
    paths = {name: folder / cells[name] for name in FILE_COLUMNS if name in cells}
    return SlideRow(
        slide_id=cells["slide_id"],
        label=cells.get("label"),
        case_id=cells.get("case_id", cells["slide_id"]),
        case_given="case_id" in cells,
        mpp=cells.get("mpp"),
        fold=cells.get("fold"),
        **paths,
    )


def _file_faults(number: int, row: SlideRow) -> list[str]:
    named = {column: getattr(row, column) for column in FILE_COLUMNS}
    return [
        f"row {number}, column {column}: no such file: {file}"
        for column, file in named.items()
        if file is not None and not file.exists()
    ]


def _duplicate_faults(numbered: list[tuple[int, dict[str, str]]]) -> list[str]:
    places = defaultdict(list)
    for number, cells in numbered:
        if "slide_id" in cells:
            places[cells["slide_id"]].append(number)
    return [
        f"row {numbers[1]}, column slide_id: {slide_id!r} stands in rows {', '.join(map(str, numbers))}; "
        "ids must be unique"
        for slide_id, numbers in places.items()
        if len(numbers) > 1
    ]


def _fold_faults(rows: list[tuple[int, SlideRow]]) -> list[str]:
    labelled = [(number, row) for number, row in rows if row.label is not None]
    without = [number for number, row in labelled if row.fold is None]
    faults = []
    if without and len(without) < len(labelled):
        faults.append(
            f"row {without[0]}, column fold: given for some labelled slides only; "
            f"missing in row{'s' if len(without) > 1 else ''} {', '.join(map(str, without))}"
        )
    folds: dict[str, dict[int, int]] = defaultdict(dict)
    for number, row in labelled:
        if row.fold is not None:
            folds[row.case_id].setdefault(row.fold, number)
    for case_id, places in folds.items():
        if len(places) > 1:
            where = ", ".join(f"fold {fold} (row {number})" for fold, number in places.items())
            faults.append(
                f"row {max(places.values())}, column fold: patient {case_id!r} is in {where}; "
                "a patient must be in one fold"
            )
    given = {row.fold for _, row in labelled if row.fold is not None}
    if len(given) == 1:
        faults.append(f"column fold: expected at least two folds, found only fold {given.pop()}")
    return faults


def _row_number(fault: str) -> int:
    digits = fault.removeprefix("row ").partition(":")[0].partition(",")[0]
    return int(digits) if digits.isdigit() else 0
