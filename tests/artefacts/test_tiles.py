import numpy as np
import pandas as pd

from pipeline.artefacts.tiles import header, kept_tiles, ownership_l0, read_tiles, write_tiles


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


def test_kept_tiles_survive_the_round_trip_in_order(tmp_path):
    frame = grid(100.0, 3, 3)
    provenance = {"format_version": 1}
    write_tiles(
        tmp_path / "t.parquet",
        frame,
        header(slide_id="s", slide_mpp=0.25, width_l0=300, height_l0=300, reason=None, provenance=provenance),
    )
    table = read_tiles(tmp_path / "t.parquet")
    assert kept_tiles(table)["tile_id"].tolist() == [0, 2, 4, 6, 8]
    assert table.header["slide_mpp"] == 0.25
