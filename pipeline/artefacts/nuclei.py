"""``nuclei/{slide}.parquet``: one row per nucleus of a slide, each counted once.

Frame: micrometres, origin at the slide's top-left level-0 corner, y down;
``x_l0 = x_um / slide_mpp``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from pipeline.artefacts.consistency import (
    all_between,
    all_distinct,
    all_finite,
    check_consistent,
)
from pipeline.artefacts.tables import HeadedTable, iterate_table, read_table, read_table_header, write_table
from pipeline.provenance import FORMAT_VERSIONS

KIND = "nuclei"

PAPER_MEASURES = (
    "area_um2",
    "major_axis_um",
    "minor_axis_um",
    "perimeter_um",
    "eccentricity",
    "equivalent_diameter_um",
    "mean_grey",
    "glcm_contrast",
    "glcm_energy",
    "glcm_correlation",
    "glcm_homogeneity",
    "glcm_asm",
)
"""The twelve measures a nucleus has in ABiG-Net, in its order (lengths here in um)."""

COLUMNS: dict[str, str] = {
    "nucleus_id": "int64",  # row number in this table
    "tile_id": "int64",  # the owner: the tile whose base holds the centroid
    "x_um": "float64",  # centroid
    "y_um": "float64",
    "orientation_rad": "float64",  # axis of the major axis in [0, pi), from +x towards +y (y down)
    "orientation_reliability": "float64",  # 0 round, so that the axis means nothing, to 1 a line
    **dict.fromkeys(PAPER_MEASURES, "float64"),
    "solidity": "float64",  # area over area of the convex hull
    "convexity": "float64",  # perimeter of the convex hull over length of the border
    "mean_haematoxylin": "float64",  # optical density of the stain
    "sd_haematoxylin": "float64",
    "contour_um": "object",  # polygon as WKB, the same frame as x_um, y_um; None of an imported nucleus without one
}
"""Columns of every table; a measure that an imported nucleus lacks is NaN."""

OUTLINE = "contour_um"
"""Column of the outlines."""

TYPE = "type"
"""Further column of imported nuclei whose file tells types of cells: text, None of a nucleus without one."""


@dataclass(frozen=True)
class NucleusHeader:
    """Header of a nucleus table.

    Attributes
    ----------
    slide_mpp
        um per level-0 pixel; None only when the slide could not be opened.
    mpp
        Resolution at which nuclei were segmented, um/px.
    weights, weights_digest
        Name and SHA-256 of the network weights; None of a segmenter without network.
    reason
        Why there is no nucleus, else None.
    provenance
        See ``provenance.record``.
    reader
        What read the pixels, see ``SlideReader.reader``; None when the slide was not opened.
    bounds_l0
        Scanned part (x, y, width, height) of the slide, level-0 pixels; None means the whole slide.
    unreadable_tiles
        Kept tiles (tile_id) whose pixels could not be read: nothing is known of their nuclei.
    imported_from
        Format of the file in which another program's nuclei came; None of nuclei that were segmented.
    cautions
        What is odd about imported nuclei, one clause each.
    """

    slide_id: str
    slide_mpp: float | None
    mpp: float
    weights: str | None
    weights_digest: str | None
    reason: str | None
    provenance: Mapping[str, Any]
    reader: str | None = None
    bounds_l0: Sequence[int] | None = None
    unreadable_tiles: Sequence[int] = ()
    imported_from: str | None = None
    cautions: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """Ready for JSON, with the kind of table."""
        lists = {
            "bounds_l0": None if self.bounds_l0 is None else list(self.bounds_l0),
            "unreadable_tiles": list(self.unreadable_tiles),
        }
        plain = {
            "kind": KIND,
            "format_version": FORMAT_VERSIONS[KIND],
            **vars(self),
            **lists,
            "provenance": dict(self.provenance),
        }
        imported = {"imported_from": plain.pop("imported_from"), "cautions": list(plain.pop("cautions"))}
        return plain if self.imported_from is None else plain | imported


def write_nuclei(path: str | Path, frame: pd.DataFrame, header: NucleusHeader) -> None:
    """Write a nucleus table, which is a GeoParquet file of its outlines as well; see ``COLUMNS``."""
    write_table(path, frame, COLUMNS, header.plain(), geometry=OUTLINE)


def read_nuclei_header(path: str | Path) -> dict[str, Any]:
    """Header of a nucleus table, without its rows; see ``tables.read_table_header``."""
    return read_table_header(path, KIND)


def count_nuclei(path: str | Path) -> int:
    """Number of nuclei of a table, without reading its rows.

    Raises
    ------
    ArtefactError
        See ``read_nuclei_header``.
    """
    read_nuclei_header(path)
    return int(pq.read_metadata(path).num_rows)


def count_types(path: str | Path) -> Counter[str | None]:
    """Number of nuclei of each type, None of those without one, without reading other columns.

    Raises
    ------
    ArtefactError
        See ``read_nuclei_header``.
    """
    read_nuclei_header(path)
    if TYPE not in pq.read_schema(path).names:
        return Counter({None: int(pq.read_metadata(path).num_rows)})
    return Counter(pq.read_table(path, columns=[TYPE])[TYPE].to_pylist())


def read_nuclei_columns(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of all rows, without a check of their values; those that the table has not are left out.

    Raises
    ------
    ArtefactError
        See ``read_nuclei_header``.
    """
    read_nuclei_header(path)
    there = set(pq.read_schema(path).names)
    frame: pd.DataFrame = pq.read_table(path, columns=[name for name in columns if name in there]).to_pandas()
    return frame


def iterate_nuclei(path: str | Path) -> Iterator[pd.DataFrame]:
    """Rows of a nucleus table, ``tables.ROWS_AT_ONCE`` at a time."""
    return iterate_table(path, KIND, COLUMNS)


def read_nuclei(path: str | Path) -> HeadedTable:
    """Read and check a nucleus table.

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
    frame = table.frame
    expectations = {
        "each nucleus_id once": all_distinct(frame["nucleus_id"].to_numpy()),
        "finite centroids": all_finite(frame[["x_um", "y_um"]]),
        "orientation_rad from 0 to pi": all_between(frame["orientation_rad"], 0, math.pi),
        "areas and axes of 0 um or more": all_between(
            frame[["area_um2", "major_axis_um", "minor_axis_um"]], 0, math.inf
        ),
        "no nucleus where there is a reason for none": not (table.reason and len(frame)),
    }
    check_consistent(KIND, path, expectations)
