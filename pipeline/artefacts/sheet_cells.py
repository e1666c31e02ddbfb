"""The cells of a sheet, from bytes to text by column; what is no such sheet is told row by row.

A sheet is CSV in UTF-8 with commas, as spreadsheets save it under "CSV UTF-8 (comma
delimited)".  Rows are numbered as a spreadsheet shows them: the header is row 1.  Spaces and
tabs around a cell do not count.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.artefacts.regular_files import read_user_text
from pipeline.artefacts.sheet_columns import COLUMNS
from pipeline.artefacts.spelling import look, spelled, unseen_end
from pipeline.errors import SheetError

SPACES = " \t"
"""What may stand around a cell unseen."""

MOST_BYTES = 500_000_000
"""Guard: ten million slides; a larger file is no sheet."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters of no name and no file that anybody means."""

Cells = Mapping[str, str]


def read_cells(sheet: Path) -> tuple[list[tuple[int, Cells]], list[str]]:
    """Rows of a sheet, each with its number and its cells that are not empty, and faults of their form.

    Raises
    ------
    SheetError
        If there is no sheet, it is no such text, or its header does not name columns of a sheet.
    """
    lines, faults = _lines(_text(sheet))
    columns = [name.strip(SPACES) for name in lines[0]] if lines else []
    if header_faults := _header_faults(columns):
        raise SheetError(str(sheet), header_faults + faults)
    rows: list[tuple[int, Cells]] = []
    for number, line in enumerate(lines[1:], start=2):
        texts = [text.strip(SPACES) for text in line]
        if any(texts):
            faults += _form_faults(number, columns, texts)
            rows.append((number, {column: text for column, text in zip(columns, texts, strict=False) if text}))
    return rows, faults


def _text(sheet: Path) -> str:
    try:
        return read_user_text(sheet, MOST_BYTES)
    except FileNotFoundError as error:
        fault = "no such file; write a sheet with at least the columns slide_id and path"
        raise SheetError(str(sheet), [fault]) from error
    except (OSError, ValueError) as error:
        fault = f"expected a CSV file in UTF-8, found: {error}; save it as CSV UTF-8 (comma delimited)"
        raise SheetError(str(sheet), [fault]) from error


def _lines(text: str) -> tuple[list[list[str]], list[str]]:
    """Cells of each line, and why reading ended early, if it did."""
    lines: list[list[str]] = []
    try:
        lines.extend(csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True))
    except csv.Error as error:
        return lines, [
            f"row {len(lines) + 1}: cells cannot be told apart ({error}), nor those of the rows below; close every "
            'quote that is opened, and write a quote inside a quoted cell twice: ""'
        ]
    return lines, []


def _header_faults(columns: Sequence[str]) -> list[str]:
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        return ["row 1: cells are not separated by commas; save the sheet as comma-separated CSV"]
    if columns and columns[0].startswith("sep="):
        return ["row 1: delete this line, which only Excel reads; the names of the columns stand in row 1"]
    faults = [f"row 1: column {spelled(name)} stands {n} times" for name, n in Counter(columns).items() if n > 1]
    if "slide_id" not in columns:
        found = ", ".join(spelled(name) for name in columns) or "nothing"
        faults.append(f"row 1: column slide_id is missing; found {found}")
    known = set(COLUMNS)
    return faults + [_unknown(place, name) for place, name in enumerate(columns, start=1) if name not in known]


def _unknown(place: int, name: str) -> str:
    if not name:
        return f"row 1: column {place} has no name; name it or delete it"
    meant = [column for column in COLUMNS if look(column) == look(name)]
    remedy = f"write {meant[0]}" if meant else f"known are {', '.join(COLUMNS)}"
    return f"row 1: unknown column {spelled(name)}; {remedy}"


def _form_faults(number: int, columns: Sequence[str], texts: Sequence[str]) -> list[str]:
    faults = []
    if len(texts) != len(columns):
        remedy = "quote cells that hold a comma" if len(texts) > len(columns) else "write empty cells too, as ,,"
        faults.append(f"row {number}: expected {len(columns)} cells, found {len(texts)}; {remedy}")
    for column, text in zip(columns, texts, strict=False):
        if end := unseen_end(text):
            faults.append(
                f"row {number}, column {column}: {spelled(text)} begins or ends with {end}, which cannot be seen; "
                "delete it"
            )
        elif not text.isprintable() and CONTROL.search(text):
            faults.append(f"row {number}, column {column}: {spelled(text)} holds a line break or control character")
    return faults
