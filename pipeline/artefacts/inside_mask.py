"""The part of a slide inside the mask that was drawn for it, as its tile table carries it to later stages.

Frame: cells part the whole slide: (row, col) of ``cells`` covers level-0 y from ``row * height_l0 / n_rows`` and x from
``col * width_l0 / n_cols``, half-open.
"""

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.errors import ArtefactError

KEY = "inside"
"""Of the header of a tile table; absent where no mask was drawn."""

MOST_CELLS = 100_000_000
"""Guard: a header that claims more is damaged."""


@dataclass(frozen=True)
class InsideMask:
    """Where a slide is inside its drawn mask.

    Attributes
    ----------
    cells
        bool (n_rows, n_cols).
    width_l0, height_l0
        Size of the slide, level-0 pixels.
    """

    cells: Bools
    width_l0: int
    height_l0: int

    def holds(self, x_l0: Float64s, y_l0: Float64s) -> Bools:
        """Whether each point (n,) lies inside; none beyond the slide does."""
        row, within_rows = _cell(y_l0, self.height_l0, self.cells.shape[0])
        col, within_cols = _cell(x_l0, self.width_l0, self.cells.shape[1])
        return np.asarray(self.cells[row, col] & within_rows & within_cols, np.bool_)

    def pixels(self, x_l0: float, y_l0: float, width_l0: float, side_px: int) -> Bools:
        """Which pixels of a square lie inside by their centres, (side_px, side_px)."""
        centres = (np.arange(side_px) + 0.5) * (width_l0 / side_px)
        row, within_rows = _cell(y_l0 + centres, self.height_l0, self.cells.shape[0])
        col, within_cols = _cell(x_l0 + centres, self.width_l0, self.cells.shape[1])
        return np.asarray(self.cells[np.ix_(row, col)] & within_rows[:, None] & within_cols, np.bool_)

    def plain(self) -> dict[str, Any]:
        """Ready for JSON: rows, columns, and the cells row by row, eight a byte, deflated, in base64."""
        packed = zlib.compress(np.packbits(self.cells).tobytes(), 9)
        return {"shape": list(self.cells.shape), "cells": base64.b64encode(packed).decode("ascii")}

    @classmethod
    def of_header(cls, header: Mapping[str, Any], path: object) -> Self | None:
        """The mask in the header of the tile table at ``path``; None where none was drawn.

        Raises
        ------
        ArtefactError
            If it is damaged.
        """
        stored = header.get(KEY)
        if stored is None:
            return None
        try:
            n_rows, n_cols = (int(length) for length in stored["shape"])
            if not 0 < n_rows * n_cols <= MOST_CELLS:
                raise ValueError(f"{n_rows} x {n_cols} cells")
            n_bytes = math.ceil(n_rows * n_cols / 8)
            deflated = base64.b64decode(stored["cells"], validate=True)
            packed = zlib.decompressobj().decompress(deflated, n_bytes + 1)
            if len(packed) != n_bytes:
                raise ValueError(f"expected {n_bytes} bytes, found {len(packed)} or more")
            cells = np.unpackbits(np.frombuffer(packed, np.uint8), count=n_rows * n_cols).astype(np.bool_)
            return cls(cells.reshape(n_rows, n_cols), int(header["width_l0"]), int(header["height_l0"]))
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise ArtefactError(
                f"{path}: the mask in its header is damaged ({error}). Tile the slide again."
            ) from error


def _cell(at_l0: Float64s, length_l0: int, n_cells: int) -> tuple[Int64s, Bools]:
    """Cell of each place along an axis, and whether the place lies on the slide."""
    cell = np.floor(np.asarray(at_l0, np.float64) * (n_cells / length_l0)).astype(np.int64)
    return cell.clip(0, n_cells - 1), np.asarray((cell >= 0) & (cell < n_cells), np.bool_)
