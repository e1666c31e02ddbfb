"""The one check of where tiles lie, for every file that another tool made.

Frame: level-0 pixels as OpenSlide counts them, (x, y) of the tile's top-left corner, y down.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Bools, Int64s
from pipeline.errors import ImportedFileError

MOST_PX = 2**31 - 1
"""Guard: no slide has a longer side; what lies further is a negative number in an unsigned type, or damage."""

LONGEST_SIDE_PX = 2**14
"""Guard: a tile whose side is not known is no longer, so that one further left or above lies on no slide."""

NAMED_ROWS = 5
"""Rows that a message names; it counts the others."""


def without_batch(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array (1, n, d) as (n, d), since some encoders' files carry a leading batch axis of one; others unchanged."""
    return array[0] if array.ndim == 3 and array.shape[0] == 1 else array


def rows_in_words(is_meant: Bools) -> str:
    """The rows (n,) that are True, in words, counted from 0."""
    rows = np.flatnonzero(is_meant)
    named = ", ".join(map(str, rows[:NAMED_ROWS]))
    more = f" and {len(rows) - NAMED_ROWS} more" if len(rows) > NAMED_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {named}{more} of {len(is_meant)} (the first is row 0)"


def as_stored(coords: npt.NDArray[Any], path: str | Path) -> npt.NDArray[Any]:
    """Finite numbers (n, 2), no two rows the same, in whatever unit; the file's order.

    Parameters
    ----------
    coords
        As read of the file; with a leading batch axis of one, or of any shape where there is no value.

    Raises
    ------
    ImportedFileError
        Naming the rows at fault.
    """
    corners = without_batch(coords)
    if corners.size == 0:
        return np.zeros((0, 2), coords.dtype)
    if corners.ndim != 2 or corners.shape[1] != 2 or corners.dtype.kind not in "iuf":
        raise ImportedFileError(f"{_expected(path)}, found {coords.dtype} {coords.shape}. {_remedy_of_shape(corners)}")
    missing = ~np.isfinite(corners).all(axis=1)
    if missing.any():
        raise ImportedFileError(
            f"{_expected(path)}, found NaN or infinity in {rows_in_words(missing)}. "
            "Leave these tiles out, or write where they lie."
        )
    _, first, tile = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    repeated = first[tile.ravel()] != np.arange(len(corners))
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        before = int(first[tile.ravel()[row]])
        raise ImportedFileError(
            f"{path}: expected each tile once, found the place {_place(corners[row])} of row {before} "
            f"again in {rows_in_words(repeated)}. Write each tile once, with its features where it has some; tiles "
            "of several magnifications belong into files of their own."
        )
    return corners


def level_0_coords(coords: npt.NDArray[Any], path: str | Path) -> Int64s:
    """Corners in whole level-0 pixels, int64 (n, 2), in the file's order.

    Parameters
    ----------
    coords
        As read of the file: integers, or floating-point numbers that are whole.

    Raises
    ------
    ImportedFileError
        As ``as_stored``, and where a number is not whole or beyond ``MOST_PX``.
    """
    corners = as_stored(coords, path)
    if corners.dtype.kind == "f":
        fractions = (corners % 1 != 0).any(axis=1)
        if fractions.any():
            raise ImportedFileError(
                f"{_expected(path)}, found {coords.dtype} {coords.shape} with fractions, "
                f"{_place(corners[fractions][0])} in {rows_in_words(fractions)}. Coordinates in micrometres cannot be "
                "used; divide them by the slide's um per level-0 pixel, and round."
            )
    # As float64, which holds every type's range; the least int64 has no absolute value.
    beyond = (np.abs(corners.astype(np.float64)) > MOST_PX).any(axis=1)
    if beyond.any():
        raise ImportedFileError(
            f"{_expected(path)}, found {_place(corners[beyond][0])} in {rows_in_words(beyond)}: beyond any slide, as a "
            "negative number is in an unsigned type. Write them as int64, from numbers that were never negative."
        )
    return corners.astype(np.int64)


def is_off_slide(coords: Int64s, width_l0: float | npt.NDArray[Any] | None, size_l0: tuple[int, int] | None) -> Bools:
    """Whether no part of a tile can lie on its slide, (n,).

    Parameters
    ----------
    coords
        int64 (n, 2).
    width_l0
        Side of a tile; None where it is not known.
    size_l0
        Width and height of the slide; None where it is not known, and only the left and upper border count.
    """
    off = (coords + (LONGEST_SIDE_PX if width_l0 is None else width_l0) <= 0).any(axis=1)
    return np.asarray(off if size_l0 is None else off | (coords >= size_l0).any(axis=1), np.bool_)


def check_on_slide(coords: Int64s, width_l0: float | None, size_l0: tuple[int, int] | None, path: str | Path) -> None:
    """Check that every tile can lie on its slide; see ``is_off_slide``.

    Raises
    ------
    ImportedFileError
        Naming the rows of those that cannot.
    """
    off = is_off_slide(coords, width_l0, size_l0)
    if off.any():
        on = "a slide" if size_l0 is None else f"the slide of {size_l0[0]} x {size_l0[1]} level-0 pixels"
        raise ImportedFileError(
            f"{path}: expected tiles on {on}, found {_place(coords[off][0])} in {rows_in_words(off)}. "
            "Leave these tiles out of coords and features, or take the file that was made of this slide."
        )


def _expected(path: str | Path) -> str:
    return f"{path}: expected 'coords' (N, 2) in whole level-0 pixels"


def _place(corner: npt.NDArray[Any]) -> str:
    return f"({corner[0]}, {corner[1]})"


def _remedy_of_shape(corners: npt.NDArray[Any]) -> str:
    if corners.ndim == 2 and corners.shape[1] == 4:
        return "They look like boxes; write their x and y alone, and the side as the attribute patch_size_level0."
    if corners.ndim == 2 and corners.shape[0] == 2:
        return "They look turned, as MATLAB writes; write them as (N, 2)."
    return "Write one row (x, y) a tile."
