"""Faults of identity in a sheet: two names that people take for one, and one file under two names.

Both put a patient into training and into test at once, or one class into two.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artefacts.same_content import FingerprintsOf, likely_same, surely_same
from pipeline.artefacts.spelling import alike, difference, spelled

SLIDE_COLUMNS = ("path", "features", "nuclei")
"""Columns whose file is the slide."""

REGION_COLUMNS = ("mask", "tiles")
"""Columns that say which part of a slide a row is about."""

MOST_ROWS = 6
"""Rows that a fault lists; of more, the number."""

REMEDIES = {
    "slide_id": "rename one: results are files of these names, and some file systems take the two for one",
    "label": "write one spelling of the class in all rows",
    "case_id": "write one spelling of the patient in all rows, else its slides stand in training and in test at once",
}
"""What to do about spellings of a column that look the same."""


@dataclass(frozen=True)
class PlacedRow:
    """A row and where it stands.

    Attributes
    ----------
    number
        As a spreadsheet shows it.
    cells
        What it holds, by column; empty cells are absent.
    files
        The files that it names, by column.
    sheet
        Name of its sheet where it is another one than that whose faults are told.
    """

    number: int
    cells: Mapping[str, Any]
    files: Mapping[str, Path]
    sheet: str = ""

    @property
    def case_id(self) -> str:
        """The patient, or the slide where none is named."""
        return str(self.cells.get("case_id", self.cells.get("slide_id", "")))


Rows = Sequence[PlacedRow]


def spelling_faults(rows: Rows) -> list[str]:
    """Ids that stand twice, and ids, classes and patients that differ only in what people do not see.

    Parameters
    ----------
    rows
        Rows of one sheet; of two sheets, for faults between them alone.
    """
    sheets = {row.sheet for row in rows}
    by_column = {column: _places(rows, column) for column in ("slide_id", "label", "case_id")}
    repeated = [
        f"{_at(places, 'slide_id')}: {spelled(slide_id)} stands in {_placed(places)}; ids must be unique"
        for slide_id, places in by_column["slide_id"].items()
        if len(places) > 1 and _lie_in(sheets, places)
    ]
    return repeated + [fault for column, places in by_column.items() for fault in _alike_faults(sheets, column, places)]


def same_slide_faults(rows: Rows, fingerprints_of: FingerprintsOf) -> list[str]:
    """Slides, or files of features, that stand under several ids.

    Rows of one patient whose ``mask`` or ``tiles`` differ are regions of a slide and no fault.

    Parameters
    ----------
    rows
        As ``spelling_faults``.
    fingerprints_of
        See ``pipeline.artefacts.same_content``.
    """
    return [fault for column in SLIDE_COLUMNS for fault in _same_slide_faults(rows, column, fingerprints_of)]


def _places(rows: Rows, column: str) -> dict[str, list[PlacedRow]]:
    places = defaultdict(list)
    for row in rows:
        if text := row.case_id if column == "case_id" else row.cells.get(column):
            places[text].append(row)
    return places


def _lie_in(sheets: Set[str], places: Rows) -> bool:
    """Whether ``places`` lie in all of the sheets looked at: what is wrong within one is told of that one."""
    return {row.sheet for row in places} == sheets


def _alike_faults(sheets: Set[str], column: str, places: Mapping[str, Rows]) -> Iterator[str]:
    for spellings in alike(places):
        here = [row for spelling in spellings for row in places[spelling]]
        is_named = column != "case_id" or any("case_id" in row.cells for row in here)
        if is_named and _lie_in(sheets, here):
            written = " and ".join(f"{spelled(s, *spellings)} ({_placed(places[s])})" for s in spellings)
            firsts = [min(places[s], key=lambda row: (row.sheet, row.number)) for s in spellings]
            yield (f"{_at(firsts, column)}: {written} differ only in {difference(spellings)}; {REMEDIES[column]}")


def _same_slide_faults(rows: Rows, column: str, fingerprints_of: FingerprintsOf) -> Iterator[str]:
    sheets = {row.sheet for row in rows}
    by_file = defaultdict(list)
    for row in rows:
        if column in row.files:
            by_file[row.files[column]].append(row)
    once_a_row = [file for file, several in by_file.items() for _ in several]
    for likely in likely_same(once_a_row, fingerprints_of):
        if _are_one_slide(sheets, by_file, likely):
            for same in surely_same(likely):
                if _are_one_slide(sheets, by_file, same):
                    yield _same_slide_fault(column, by_file, list(dict.fromkeys(same)))


def _are_one_slide(sheets: Set[str], by_file: Mapping[Path, Rows], files: Sequence[Path]) -> bool:
    here = [row for file in dict.fromkeys(files) for row in by_file[file]]
    return _lie_in(sheets, here) and not _are_regions(here)


def _are_regions(rows: Rows) -> bool:
    """Whether rows of one slide are of one patient and each of another part of it."""
    if len({row.case_id for row in rows}) > 1:
        return False
    files = {row.files[column] for row in rows for column in REGION_COLUMNS if column in row.files}
    first_of = dict(zip(files, files, strict=True)) | {file: same[0] for same in surely_same(files) for file in same}
    parts = {tuple(first_of[row.files[c]] if c in row.files else None for c in REGION_COLUMNS) for row in rows}
    return len(parts) == len(rows)


def _same_slide_fault(column: str, by_file: Mapping[Path, Rows], files: Sequence[Path]) -> str:
    rows = [row for file in files for row in by_file[file]]
    names = ", ".join(dict.fromkeys(str(row.cells[column]) for row in rows[:MOST_ROWS]))
    held = f"name one file, {names}" if len(files) == 1 else f"name files with the same bytes, {names}"
    regions = ", or give the rows one case_id and each a mask or tiles of its own" * (column == "path")
    return (
        f"{_at(rows, column)}: {_placed(rows)} {held}; one slide under several ids would stand in training and in "
        f"test at once: leave one row{regions}"
    )


def _at(places: Rows, column: str) -> str:
    """Where a fault of several rows of a sheet is told: the second of them."""
    here = sorted(row.number for row in places if not row.sheet)
    return f"row {here[1] if len(here) > 1 else here[0]}, column {column}"


def _placed(places: Rows) -> str:
    """``listed`` by sheet, as "row 2 and row 5 of slides.csv"."""
    by_sheet = defaultdict(list)
    for row in places:
        by_sheet[row.sheet].append(row.number)
    return " and ".join(listed(sorted(numbers)) + (f" of {sheet}" * bool(sheet)) for sheet, numbers in by_sheet.items())


def listed(numbers: Sequence[int]) -> str:
    """Rows by number as "row 2" or "rows 2, 4, 5, 8, 9, 11 and 93 more"."""
    more = f" and {len(numbers) - MOST_ROWS} more" if len(numbers) > MOST_ROWS else ""
    return f"row{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers[:MOST_ROWS]))}{more}"
