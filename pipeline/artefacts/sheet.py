"""The sheet of slides, ``slides.csv``: read once, checked wholly, all faults at once.

Rows are numbered as a spreadsheet shows them: the header is row 1.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artefacts.named_files import missing_files
from pipeline.artefacts.same_content import FingerprintsOf, taken_fingerprints
from pipeline.artefacts.sheet_cells import read_cells
from pipeline.artefacts.sheet_columns import COLUMNS
from pipeline.artefacts.sheet_identity import PlacedRow, listed, same_slide_faults, spelling_faults
from pipeline.artefacts.sheet_values import row_faults, typed_cells
from pipeline.artefacts.spelling import spelled
from pipeline.errors import AbignetError, SheetError

FILE_COLUMNS = ("path", "features", "mask", "tiles", "nuclei")
"""Columns that name a file, relative to the sheet."""


@dataclass(frozen=True)
class SlideRow:
    """One slide or image of the cohort.

    Attributes
    ----------
    slide_id
        Unique name, also the name of the slide's artefacts.
    path
        The slide or image; None when only ``features`` or ``nuclei`` are given.
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
    nuclei
        Nuclei that another program found; see ``pipeline.artefacts.foreign_nuclei``.
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
    nuclei: Path | None = None

    def plain(self) -> dict[str, Any]:
        """The row as text and numbers; see ``rows_from_plain``."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}


def rows_from_plain(rows: Iterable[Mapping[str, Any]]) -> tuple[SlideRow, ...]:
    """Rows from what ``SlideRow.plain`` made of them."""
    return tuple(_row_from_plain(row) for row in rows)


def _row_from_plain(values: Mapping[str, Any]) -> SlideRow:
    paths = {name: Path(values[name]) for name in FILE_COLUMNS if values.get(name) is not None}
    return SlideRow(**{**values, **paths})


def read_sheet(path: str | Path, fingerprints_of: FingerprintsOf | None = taken_fingerprints) -> tuple[SlideRow, ...]:
    """Read and check a sheet of slides.

    Parameters
    ----------
    fingerprints_of
        Of slides, by which one slide under two ids is found; None looks at no file, for a
        sheet that has been checked.

    Raises
    ------
    SheetError
        With every fault of the sheet: unreadable file, unknown or repeated column, cell
        that breaks the schema, duplicate id, names that look the same, one slide under two
        ids, missing file, patient in two folds, fold given for some labelled slides only.
    """
    rows, faults = _checked(Path(path), fingerprints_of)
    if faults:
        raise SheetError(str(path), faults)
    return tuple(_row(placed) for placed in rows)


def read_sheets(
    path: str | Path,
    new_path: str | Path | None,
    fingerprints_of: FingerprintsOf | None = taken_fingerprints,
    replaced: re.Pattern[str] | None = None,
) -> tuple[tuple[SlideRow, ...], tuple[SlideRow, ...]]:
    """Read and check the sheet of a cohort and, where there is one, that of new slides.

    Parameters
    ----------
    path, new_path
        The two sheets; None where there are no new slides.
    fingerprints_of
        See ``read_sheet``.
    replaced
        What the caller's workflow would replace in a path, so that no path may hold it.

    Raises
    ------
    AbignetError
        With the faults of both, each as of ``read_sheet``, and with slides and names that
        the sheets share or spell in two ways.
    """
    rows, faults = _checked(Path(path), fingerprints_of)
    new_rows, new_faults = ([], []) if new_path is None else _checked(Path(new_path), fingerprints_of)
    if new_rows:
        elsewhere = [replace(placed, sheet=str(path)) for placed in rows]
        new_faults += _identity_faults([*elsewhere, *new_rows], fingerprints_of)
    if replaced is not None:
        faults += _replaced_faults(rows, replaced)
        new_faults += _replaced_faults(new_rows, replaced)
    errors = [
        SheetError(str(sheet), _in_order(found)) for sheet, found in ((path, faults), (new_path, new_faults)) if found
    ]
    if errors:
        raise errors[0] if len(errors) == 1 else AbignetError("\n".join(map(str, errors)))
    return tuple(map(_row, rows)), tuple(map(_row, new_rows))


def _checked(sheet: Path, fingerprints_of: FingerprintsOf | None) -> tuple[list[PlacedRow], list[str]]:
    """Rows of a sheet and all its faults, in their order."""
    try:
        numbered, faults = read_cells(sheet)
    except SheetError as error:
        return [], list(error.faults)
    rows, sound = [], []
    for number, cells in numbered:
        values, broken = typed_cells(number, cells)
        broken += row_faults(number, cells)
        named = [c for c in FILE_COLUMNS if c in cells and COLUMNS[c].rule.allows(cells[c])]
        files = {column: sheet.parent / cells[column] for column in named}
        rows.append(PlacedRow(number, values, files))
        sound += [] if broken else rows[-1:]
        faults += broken
    named_files = [file for placed in rows for file in placed.files.values()]
    missing = {} if fingerprints_of is None else missing_files(named_files)
    faults += _missing_faults(rows, missing)
    rows = [_with_files_but(placed, missing) for placed in rows]
    faults += [*_identity_faults(rows, fingerprints_of), *_fold_faults(sound)]
    if not numbered and not faults:
        faults.append("no slide: expected at least one row below the header")
    return rows, _in_order(faults)


def _identity_faults(rows: Sequence[PlacedRow], fingerprints_of: FingerprintsOf | None) -> list[str]:
    contents = [] if fingerprints_of is None else same_slide_faults(rows, fingerprints_of)
    return [*spelling_faults(rows), *contents]


def _missing_faults(rows: Sequence[PlacedRow], missing: Mapping[Path, str]) -> list[str]:
    return [
        f"row {placed.number}, column {column}: {missing[file]}"
        for placed in rows
        for column, file in placed.files.items()
        if file in missing
    ]


def _with_files_but(placed: PlacedRow, missing: Mapping[Path, str]) -> PlacedRow:
    """A row without the files that are missing."""
    if not any(file in missing for file in placed.files.values()):
        return placed
    return replace(placed, files={column: file for column, file in placed.files.items() if file not in missing})


def _replaced_faults(rows: Sequence[PlacedRow], replaced: re.Pattern[str]) -> list[str]:
    """Paths with text that a workflow would take for something else."""
    return [
        f"row {placed.number}, column {column}: {spelled(str(file))} holds {spelled(found[0])}, which the workflow "
        "would replace; rename the file or folder, or link to it by another name"
        for placed in rows
        for column, file in placed.files.items()
        if (found := replaced.search(str(file)))
    ]


def _row(placed: PlacedRow) -> SlideRow:
    cells = placed.cells
    return SlideRow(
        slide_id=cells["slide_id"],
        label=cells.get("label"),
        case_id=placed.case_id,
        case_given="case_id" in cells,
        mpp=cells.get("mpp"),
        fold=cells.get("fold"),
        **placed.files,
    )


def _fold_faults(rows: Sequence[PlacedRow]) -> list[str]:
    labelled = [placed for placed in rows if "label" in placed.cells]
    without = [placed.number for placed in labelled if "fold" not in placed.cells]
    faults = []
    if without and len(without) < len(labelled):
        faults.append(
            f"row {without[0]}, column fold: given for some labelled slides only; missing in {listed(without)}"
        )
    folds: dict[str, dict[Any, int]] = defaultdict(dict)
    for placed in labelled:
        if "fold" in placed.cells:
            folds[placed.case_id].setdefault(placed.cells["fold"], placed.number)
    for case_id, places in folds.items():
        if len(places) > 1:
            where = ", ".join(f"fold {fold} (row {number})" for fold, number in places.items())
            faults.append(
                f"row {max(places.values())}, column fold: patient {spelled(case_id)} is in {where}; "
                "a patient must be in one fold"
            )
    given = {placed.cells["fold"] for placed in labelled if "fold" in placed.cells}
    if len(given) == 1:
        faults.append(f"column fold: expected at least two folds, found only fold {given.pop()}")
    return faults


def _in_order(faults: Iterable[str]) -> list[str]:
    return sorted(faults, key=_row_number)


def _row_number(fault: str) -> int:
    digits = fault.removeprefix("row ").partition(":")[0].partition(",")[0]
    return int(digits) if digits.isdigit() else 0
