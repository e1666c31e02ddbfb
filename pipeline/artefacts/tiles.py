"""``tiles/{slide}.parquet``: the grid of one slide, kept tiles and dropped ones.

Frame: level-0 pixels, origin at the slide's top-left corner, y down.  Row r and column
c of the grid start at ``round(r * pitch)`` and ``round(c * pitch)`` with the unrounded
pitch ``tile_px * mpp / slide_mpp``, so rounding never adds up.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.artefacts.tables import HeadedTable, read_table, write_table

KIND = "tiles"

COLUMNS: dict[str, str] = {
    "tile_id": "int64",  # row number in this table
    "x_l0": "int64",  # top-left corner
    "y_l0": "int64",
    "width_l0": "float64",  # side length: tile_px * mpp / slide_mpp
    "tile_px": "int64",  # side length in pixels at mpp
    "mpp": "float64",  # working resolution, um/px
    "tissue_fraction": "float64",  # share of the tile's area that is tissue, 0 to 1
    "kept": "bool",
    "reason": "str",  # why not kept, else empty
    "row": "int64",  # place in the grid
    "col": "int64",
}


def header(
    *,
    slide_id: str,
    slide_mpp: float | None,
    width_l0: int,
    height_l0: int,
    reason: str | None,
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Header of a tile table.

    Parameters
    ----------
    slide_mpp
        um per level-0 pixel; None only when the slide could not be opened.
    width_l0, height_l0
        Size of level 0 in pixels; 0 when the slide could not be opened.
    reason
        Why no tile is kept, else None.
    """
    return {
        "kind": KIND,
        "slide_id": slide_id,
        "slide_mpp": slide_mpp,
        "width_l0": width_l0,
        "height_l0": height_l0,
        "reason": reason,
        "provenance": dict(provenance),
    }


def write_tiles(path: str | Path, frame: pd.DataFrame, table_header: Mapping[str, Any]) -> None:
    """Write a tile table; see ``COLUMNS`` and ``header``."""
    write_table(path, frame, COLUMNS, table_header)


def read_tiles(path: str | Path) -> HeadedTable:
    """Read and check a tile table.

    Raises
    ------
    ArtefactError
        See ``tables.read_table``.
    """
    return read_table(path, KIND, COLUMNS)


def kept_tiles(table: HeadedTable) -> pd.DataFrame:
    """Rows of ``table`` that later stages use, in table order."""
    frame = table.frame
    return frame[frame["kept"]].reset_index(drop=True)


def ownership_l0(tiles: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Half-open boxes (n, 4) as x0, y0, x1, y1 in level-0 pixels that part the grid without gap or overlap.

    A point belongs to the tile whose box holds it.  A box may be a pixel wider or
    narrower than ``width_l0``, because corners are rounded.
    """
    pitch = tiles["width_l0"].to_numpy(np.float64)
    x_end = np.rint((tiles["col"].to_numpy() + 1) * pitch)
    y_end = np.rint((tiles["row"].to_numpy() + 1) * pitch)
    boxes = np.stack([tiles["x_l0"].to_numpy(), tiles["y_l0"].to_numpy(), x_end, y_end], axis=1)
    return np.asarray(boxes, np.int64)
