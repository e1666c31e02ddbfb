import math

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.tiles import (
    QC_COLUMNS,
    TileHeader,
    kept_tiles,
    ownership_l0,
    read_tiles,
    write_tiles,
)
from pipeline.errors import ArtefactError


def grid(pitch: float, n_rows: int, n_cols: int) -> pd.DataFrame:
    row, col = (axis.ravel() for axis in np.mgrid[:n_rows, :n_cols])
    return pd.DataFrame(
        {
            "tile_id": np.arange(row.size),
            "x_l0": np.rint(col * pitch).astype(int),
            "y_l0": np.rint(row * pitch).astype(int),
            "width_l0": pitch,
            "tile_px": 512,
            "mpp": 0.5,
            "tissue_fraction": 1.0,
            **dict.fromkeys(QC_COLUMNS, math.nan),
            "kept": (row + col) % 2 == 0,
            "reason": "",
            "row": row,
            "col": col,
        }
    )


def test_ownership_parts_the_plane_without_gap_or_overlap():
    boxes = ownership_l0(grid(pitch=1012.66, n_rows=7, n_cols=9))
    owned = np.zeros((boxes[:, 3].max(), boxes[:, 2].max()), np.uint8)
    for x0, y0, x1, y1 in boxes:
        owned[y0:y1, x0:x1] += 1
    assert (owned == 1).all()


def at(*corners: tuple[int, int], width: float = 100.0) -> pd.DataFrame:
    """Tiles at level-0 corners, placed by rank as imported ones are."""
    x, y = np.array(corners).T
    row, col = (np.unique(axis, return_inverse=True)[1] for axis in (y, x))
    ids = np.arange(len(corners)) + 40
    return pd.DataFrame({"tile_id": ids, "x_l0": x, "y_l0": y, "width_l0": width, "row": row, "col": col})


def test_imported_tiles_own_what_they_show():
    boxes = ownership_l0(at((7, 0), (150, 0), (7, 130), width=99.6))
    np.testing.assert_array_equal(boxes, [[7, 0, 107, 100], [150, 0, 250, 100], [7, 130, 107, 230]])


def test_header_holds_the_whole_slide_where_no_bounds_are_stated():
    facts = {"slide_id": "s", "slide_mpp": 0.5, "width_l0": 30, "height_l0": 20, "reason": None, "provenance": {}}
    assert TileHeader(**facts).plain()["bounds_l0"] == [0, 0, 30, 20]
    stated = TileHeader(**facts, reader="tifffile", bounds_l0=(4, 5, 6, 7), overlap_px=8, n_unreadable=9).plain()
    assert (stated["reader"], stated["bounds_l0"]) == ("tifffile", [4, 5, 6, 7])
    assert (stated["overlap_px"], stated["n_unreadable"]) == (8, 9)
    assert stated["cautions"] == []
    assert TileHeader(**facts, cautions=("odd",)).plain()["cautions"] == ["odd"]


def test_kept_tiles_survive_the_round_trip_in_order(tmp_path):
    frame = grid(100.0, 3, 3)
    provenance = {"format_version": 1}
    write_tiles(
        tmp_path / "t.parquet",
        frame,
        TileHeader(slide_id="s", slide_mpp=0.25, width_l0=300, height_l0=300, reason=None, provenance=provenance),
    )
    table = read_tiles(tmp_path / "t.parquet")
    assert kept_tiles(table)["tile_id"].tolist() == [0, 2, 4, 6, 8]
    assert table.header["slide_mpp"] == 0.25


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("tile_id", 1, "each tile_id once"),
        ("mpp", 0.0, "tile_px, mpp and width_l0 above 0"),
        ("width_l0", np.nan, "tile_px, mpp and width_l0 above 0"),
        ("tissue_fraction", 1.5, "shares of a tile"),
        ("qc_pen_red", -0.5, "shares of a tile"),
        ("x_l0", 300, "kept tiles that meet the slide"),
        ("y_l0", -500, "kept tiles that meet the slide"),
    ],
)
def test_rows_that_cannot_be_are_told(tmp_path, column, value, fault):
    frame = grid(100.0, 3, 3)
    frame.loc[2, column] = value
    size = {"slide_mpp": 0.25, "width_l0": 300, "height_l0": 300}
    write_tiles(tmp_path / "t.parquet", frame, TileHeader(slide_id="s", reason=None, provenance={}, **size))
    with pytest.raises(ArtefactError, match=rf"t\.parquet: it is half-written, damaged or edited: expected {fault}"):
        read_tiles(tmp_path / "t.parquet")
