"""``tiles/{slide}.parquet``: the grid of one slide, kept tiles and dropped ones.

Frame: level-0 pixels, origin at the slide's top-left corner, y down.  Row r and column
c of a grid without overlap start at ``round(r * width_l0)`` and ``round(c * width_l0)``
with the unrounded ``width_l0 = tile_px * mpp / slide_mpp``, so rounding never adds up.
Rows are in reading order; every row that is not kept has a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.arrays import Int64s
from pipeline.artefacts.consistency import all_distinct, all_finite, all_shares, check_consistent
from pipeline.artefacts.inside_mask import KEY as INSIDE
from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.tables import HeadedTable, read_table, write_table
from pipeline.provenance import FORMAT_VERSIONS

KIND = "tiles"

PEN_COLUMNS = ("qc_pen_red", "qc_pen_green", "qc_pen_blue", "qc_pen_black")

QC_COLUMNS = ("qc_focus", *PEN_COLUMNS, "qc_fold", "qc_off_stain")
"""Quality of a tile; NaN = not measured, because the tile was dropped before or the check is off."""

ROUNDING_L0 = 1.0
"""Level-0 pixels by which neighbours of a regular grid may overlap, since their corners are rounded."""

COLUMNS: dict[str, str] = {
    "tile_id": "int64",  # row number in this table
    "x_l0": "int64",  # top-left corner
    "y_l0": "int64",
    "width_l0": "float64",  # side length: tile_px * mpp / slide_mpp
    "tile_px": "int64",  # side length in pixels at mpp
    "mpp": "float64",  # working resolution, um/px
    "tissue_fraction": "float64",  # share of the tile's area that is tissue, 0 to 1
    "qc_focus": "float64",  # fine against coarse detail, 0 to 1; blur lowers it
    "qc_pen_red": "float64",  # shares of the tile's area, 0 to 1
    "qc_pen_green": "float64",
    "qc_pen_blue": "float64",
    "qc_pen_black": "float64",
    "qc_fold": "float64",  # tissue lying double
    "qc_off_stain": "float64",  # tissue whose colour haematoxylin and eosin do not make
    "kept": "bool",
    "reason": "str",  # why not kept, else empty
    "row": "int64",  # place in the grid; of imported tiles the rank of y_l0 and x_l0 among the distinct ones
    "col": "int64",
}


@dataclass(frozen=True)
class TileHeader:
    """Header of a tile table.

    Attributes
    ----------
    slide_mpp
        um per level-0 pixel; None only when the slide could not be opened.
    width_l0, height_l0
        Size of level 0 in pixels; 0 when the slide could not be opened.
    reason
        Why no tile is kept, else None.
    provenance
        See ``provenance.record``.
    reader
        What read the pixels, see ``SlideReader.reader``; None when the slide could not be opened.
    bounds_l0
        Scanned part (x, y, width, height), level-0 pixels; None means the whole slide.
    overlap_px
        Pixels at ``mpp`` that neighbouring tiles share.
    n_unreadable
        Tiles dropped because their pixels could not be read.
    cautions
        What is odd about the slide and did not keep it from being tiled, one clause each.
    without_slide
        Whether the tiles lie over a table of nuclei alone.  ``bounds_l0`` then begins at the origin of that table,
        since level 0 begins where its nuclei do.
    inside
        The part of the slide inside the mask drawn for it; None where none was drawn.
    """

    slide_id: str
    slide_mpp: float | None
    width_l0: int
    height_l0: int
    reason: str | None
    provenance: Mapping[str, Any]
    reader: str | None = None
    bounds_l0: Sequence[int] | None = None
    overlap_px: int = 0
    n_unreadable: int = 0
    cautions: Sequence[str] = ()
    without_slide: bool = False
    inside: InsideMask | None = None

    def plain(self) -> dict[str, Any]:
        """Ready for JSON, with the kind of table."""
        bounds = (0, 0, self.width_l0, self.height_l0) if self.bounds_l0 is None else self.bounds_l0
        plain = {
            "kind": KIND,
            "format_version": FORMAT_VERSIONS[KIND],
            **vars(self),
            "bounds_l0": list(bounds),
            "cautions": list(self.cautions),
            "provenance": dict(self.provenance),
        }
        del plain["without_slide"], plain["inside"]
        if self.without_slide:
            plain["without_slide"] = True
        if self.inside is not None:
            plain[INSIDE] = self.inside.plain()
        return plain


def write_tiles(path: str | Path, frame: pd.DataFrame, header: TileHeader) -> None:
    """Write a tile table; see ``COLUMNS``."""
    write_table(path, frame, COLUMNS, header.plain())


def read_tiles(path: str | Path) -> HeadedTable:
    """Read and check a tile table.

    Raises
    ------
    ArtefactError
        See ``tables.read_table``.
    """
    table = read_table(path, KIND, COLUMNS)
    _check(table, path)
    return table


def _check(table: HeadedTable, path: str | Path) -> None:
    """Raise ``ArtefactError`` where rows and header contradict each other."""
    frame, header = table.frame, table.header
    expectations = {
        "each tile_id once": all_distinct(frame["tile_id"].to_numpy()),
        "tile_px, mpp and width_l0 above 0": bool((frame[["tile_px", "mpp", "width_l0"]] > 0).all(axis=None))
        and all_finite(frame[["mpp", "width_l0"]]),
        "shares of a tile from 0 to 1": all_shares(frame[["tissue_fraction", *PEN_COLUMNS, "qc_fold", "qc_off_stain"]]),
        "kept tiles that meet the slide": _meet_slide(kept_tiles(table), header),
        "no tile kept where there is a reason for none": not (table.reason and frame["kept"].any()),
    }
    check_consistent(KIND, path, expectations)


def _meet_slide(tiles: pd.DataFrame, header: Mapping[str, Any]) -> bool:
    """Whether every one of them shares at least a pixel with level 0, if its size is known."""
    size = (header.get("width_l0") or 0, header.get("height_l0") or 0)
    corners = tiles[["x_l0", "y_l0"]].to_numpy(np.float64)
    ends = corners + tiles[["width_l0"]].to_numpy(np.float64)
    return not all(size) or bool(((corners < size) & (ends > 0)).all())


def mpp_of(table: HeadedTable) -> float:
    """Resolution of the tiles, um/px; what was asked for where there is no tile."""
    return float(table.frame["mpp"].iloc[0] if len(table.frame) else table.header["provenance"]["params"]["mpp"])


def kept_tiles(table: HeadedTable) -> pd.DataFrame:
    """Rows of ``table`` that later stages use, in table order."""
    frame = table.frame
    return frame[frame["kept"]].reset_index(drop=True)


def ownership_l0(tiles: pd.DataFrame) -> Int64s:
    """Half-open boxes (n, 4) as x0, y0, x1, y1 in level-0 pixels, each owned by one tile.

    Boxes part a grid without gap or overlap: a tile at ``round(col * width_l0)`` ends
    where the next one starts, so that its box may be a pixel wider or narrower than
    ``width_l0``.  Any other tile, such as an imported one, owns the area it shows.  See
    ``tile_ownership.check_single_ownership``.
    """
    corners = tiles[["x_l0", "y_l0"]].to_numpy(np.int64)
    width = tiles[["width_l0"]].to_numpy(np.float64)
    place = tiles[["col", "row"]].to_numpy(np.int64)
    on_grid = corners == np.rint(place * width)
    ends = np.rint(np.where(on_grid, (place + 1) * width, corners + width))
    return np.asarray(np.hstack([corners, ends]), np.int64)
