import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import kept_tiles, ownership_l0, read_tiles
from pipeline.errors import ConfigError, ImportedFileError, MissingMppError
from pipeline.nuclei.import_nuclei import import_nuclei
from pipeline.report.export_geojson import nuclei_geojson
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_nuclei import tile_nuclei


@pytest.fixture
def tile(tmp_path: Path):
    """Tile a table of nuclei, by default into tiles of 50 um."""

    def of(
        places: np.ndarray, unit: str = "um", mpp: float | None = None, name: str = "n.csv", **params
    ) -> HeadedTable:
        pd.DataFrame({f"x_{unit}": places[:, 0], f"y_{unit}": places[:, 1]}).to_csv(tmp_path / name, index=False)
        settings = TilingParams(**{"tile_px": 100, **params})
        out = tmp_path / "t.parquet", tmp_path / "t.png"
        tile_nuclei(tmp_path / name, *out, slide_id="s", mpp=mpp, params=settings, on_bad_slide="stop", source="x")
        return read_tiles(out[0])

    return of


def spread(x0, y0, x1, y1, n=400):
    return np.random.default_rng(0).uniform([x0, y0], [x1, y1], (n, 2))


def test_tiles_begin_where_the_nuclei_do_and_cover_them_all(tile, tmp_path):
    places = np.vstack([[[1000.2, -300.7], [1149.9, -201.5]], spread(1001, -300, 1049, -210)])
    table = tile(places)
    frame = table.frame
    assert (frame["col"].max(), frame["row"].max()) == (2, 1)
    np.testing.assert_array_equal(frame["x_l0"], frame["col"] * 100)
    # One nucleus ends the extent; between it and the rest no tile holds any.
    assert frame["kept"].tolist() == [True, False, False, True, False, True]
    assert set(frame.loc[~frame["kept"], "reason"]) == {"no nucleus"}
    assert frame["tissue_fraction"].isna().all()
    assert table.header["without_slide"] is True
    assert table.header["slide_mpp"] == 0.5
    # 1000.2 um are pixel 2000.4, -300.7 um are pixel -601.4.
    assert table.header["bounds_l0"][:2] == [-2000, 602]
    assert Image.open(tmp_path / "t.png").width > 600


@pytest.mark.parametrize(
    ("unit", "mpp", "tile_l0"), [("um", None, 100), ("um", 0.3, 50 / 0.3), ("px", 0.37, 50 / 0.37)]
)
def test_every_nucleus_has_a_tile_and_comes_back_at_its_place(tile, tmp_path, unit, mpp, tile_l0):
    places = spread(-50, 20, 300, 260)
    table = tile(places, unit, mpp)
    assert table.frame["width_l0"].iloc[0] == pytest.approx(tile_l0)
    n_nuclei = import_nuclei(
        tmp_path / "t.parquet", tmp_path / "n.csv", tmp_path / "n.parquet", slide_id="s", source="x"
    )
    assert n_nuclei == len(places)
    nuclei = read_nuclei(tmp_path / "n.parquet")
    boxes = ownership_l0(kept_tiles(table)) * table.header["slide_mpp"]
    assert set(nuclei.frame["tile_id"]) == set(kept_tiles(table)["tile_id"])
    assert nuclei.frame[["x_um", "y_um"]].to_numpy().min() >= 0
    assert (nuclei.frame["x_um"] < boxes[:, 2].max()).all()
    nuclei_geojson(tmp_path / "n.parquet", tmp_path / "n.geojson")
    drawn = [f["geometry"]["coordinates"] for f in json.loads((tmp_path / "n.geojson").read_text())["features"]]
    given = places if unit == "px" else places / (mpp or 0.5)
    np.testing.assert_allclose(np.sort(np.array(drawn), axis=0), np.sort(given, axis=0), atol=0.01)


def test_a_table_moved_elsewhere_has_the_same_tiles(tile):
    places = spread(0, 0, 200, 130)
    here, there = tile(places).frame, tile(places + np.array([512.0, 4096.0])).frame
    pd.testing.assert_frame_equal(here, there)


def test_one_nucleus_is_one_tile_and_none_is_a_reason(tile):
    table = tile(np.array([[7.0, 8.0]]))
    assert (len(table.frame), table.reason) == (1, None)
    empty = tile(np.zeros((0, 2)))
    assert (len(empty.frame), empty.reason) == (0, "the file holds no nucleus")


def test_a_sample_of_tiles_is_drawn(tile):
    frame = tile(spread(0, 0, 500, 500), max_tiles=7).frame
    assert frame["kept"].sum() == 7


def test_what_cannot_be_tiled_says_why(tile, tmp_path):
    with pytest.raises(MissingMppError, match="column `mpp`"):
        tile(spread(0, 0, 9, 9), "px")
    with pytest.raises(ConfigError, match="overlap_px"):
        tile(spread(0, 0, 9, 9), overlap_px=10)
    with pytest.raises(ImportedFileError, match=r"n\.csv: nuclei span 1e\+07 x .* no stray nucleus"):
        tile(np.array([[0.0, 0.0], [1e7, 1e6]]))
    (tmp_path / "bad.csv").write_text("a\n1\n")
    out = tmp_path / "b.parquet", tmp_path / "b.png"
    settings = {"slide_id": "s", "mpp": None, "params": TilingParams(), "source": "x"}
    tile_nuclei(tmp_path / "bad.csv", *out, **settings, on_bad_slide="exclude")
    assert read_tiles(out[0]).reason.startswith("bad.csv: where nuclei lie is not told")
    with pytest.raises(ImportedFileError):
        tile_nuclei(tmp_path / "bad.csv", *out, **settings, on_bad_slide="stop")


def test_same_input_same_bytes(tile, tmp_path):
    tile(spread(0, 0, 200, 130))
    first = [(tmp_path / name).read_bytes() for name in ("t.parquet", "t.png")]
    tile(spread(0, 0, 200, 130))
    assert [(tmp_path / name).read_bytes() for name in ("t.parquet", "t.png")] == first
