"""What the cells of one row of a sheet hold: numbers as numbers, and what its columns do not allow or contradict."""

from typing import Any

from pipeline.artefacts.plain_numbers import plain_number
from pipeline.artefacts.sheet_cells import Cells
from pipeline.artefacts.sheet_columns import COLUMNS
from pipeline.artefacts.spelling import spelled
from pipeline.tunables import Number


def typed_cells(number: int, cells: Cells) -> tuple[dict[str, Any], list[str]]:
    """Values of a row's cells, numbers as numbers, and the cells that hold what their column does not allow."""
    values: dict[str, Any] = {}
    faults = []
    for name, text in cells.items():
        rule, remedy = COLUMNS[name].rule, ""
        values[name] = text
        if isinstance(rule, Number):
            try:
                values[name] = plain_number(text, is_whole=rule.is_whole)
            except ValueError as error:
                remedy = f"; {error}"
        if not rule.allows(values[name]):
            expected = COLUMNS[name].description
            faults.append(f"row {number}, column {name}: expected {expected}; found {spelled(text)}{remedy}")
    return values, faults


def row_faults(number: int, cells: Cells) -> list[str]:
    """What the cells of a row lack or contradict together."""
    faults = [] if "slide_id" in cells else [f"row {number}: slide_id is empty"]
    if not ({"path", "features", "nuclei"} & cells.keys()):
        faults.append(f"row {number}: expected a path, features or nuclei, found none")
    if "tiles" in cells:
        faults += _tiles_faults(number, cells)
    if "nuclei" in cells and "path" not in cells:
        faults += _nuclei_faults(number, cells)
    return faults


def _nuclei_faults(number: int, cells: Cells) -> list[str]:
    """What stands in the way of the nuclei of a row without a slide."""
    faults = []
    if "features" in cells:
        faults.append(
            f"row {number}, column nuclei: nuclei are not used where features are given without a slide; leave one of "
            "the two empty"
        )
    if "mask" in cells:
        faults.append(f"row {number}, column mask: a mask needs the slide it is of in column path, found none")
    return faults


def _tiles_faults(number: int, cells: Cells) -> list[str]:
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
