import gzip
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.nuclei import PAPER_MEASURES, read_nuclei
from pipeline.artefacts.tables import HeadedTable, write_table
from pipeline.artefacts.tiles import COLUMNS as TILE_COLUMNS
from pipeline.artefacts.tiles import TileHeader, read_tiles, write_tiles
from pipeline.errors import ArtefactError, ConfigError, ImportedFileError, SlideError
from pipeline.nuclei.import_nuclei import import_nuclei
from tests.nuclei.test_segment_nuclei import MPP, write_grid

N_NUCLEI = 60


@pytest.fixture
def places() -> np.ndarray:
    """Nuclei in a slide of 128 x 96 um, in no order of tiles."""
    return np.random.default_rng(1).uniform([4, 4], [124, 92], (N_NUCLEI, 2))


@pytest.fixture
def run(tmp_path: Path):
    """Import a file into a slide of 4 x 3 tiles of 64 px."""

    def of_file(path: Path, **grid: object) -> HeadedTable:
        tiles = write_grid(tmp_path / "t.parquet", **{"columns": 4, "rows": 3, "tile_px": 64, **grid})
        import_nuclei(tiles, path, tmp_path / "n.parquet", slide_id="s", source="abc")
        return read_nuclei(tmp_path / "n.parquet")

    return of_file


def ellipses(places: np.ndarray) -> list[shapely.Polygon]:
    turn = np.linspace(0, 2 * np.pi, 41)[:-1]
    return [shapely.Polygon(np.stack([4 * np.cos(turn), 2.5 * np.sin(turn)], axis=1) + place) for place in places]


def csv(path: Path, places: np.ndarray, **columns: object) -> Path:
    pd.DataFrame({"x_um": places[:, 0], "y_um": places[:, 1], **columns}).to_csv(path, index=False)
    return path


def geojson(path: Path, places: np.ndarray) -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shapely.transform(shape, lambda points: points / MPP))),
            "properties": {"objectType": "detection", "classification": {"name": "ab"[number % 2]}},
        }
        for number, shape in enumerate(ellipses(places))
    ]
    path.write_bytes(gzip.compress(json.dumps({"type": "FeatureCollection", "features": features}).encode()))
    return path


def test_a_table_of_points_keeps_what_it_has_and_nothing_else(run, places, tmp_path):
    table = run(csv(tmp_path / "n.csv", places, type="T"))
    nuclei = table.frame
    assert len(nuclei) == N_NUCLEI
    assert nuclei["nucleus_id"].tolist() == list(range(N_NUCLEI))
    assert (np.diff(nuclei["tile_id"]) >= 0).all()
    col, row = nuclei["x_um"] // 32, nuclei["y_um"] // 32
    assert nuclei["tile_id"].tolist() == (row * 4 + col).tolist()
    assert nuclei[[*PAPER_MEASURES, "orientation_rad", "solidity"]].isna().all(axis=None)
    assert nuclei["contour_um"].isna().all()
    assert set(nuclei["type"]) == {"T"}
    assert np.isin(nuclei[["x_um", "y_um"]].to_numpy(), places).all()
    assert table.header["imported_from"] == "table"
    assert table.header["cautions"] == []
    assert set(table.header["provenance"]["upstream"]) == {"tiles", "nuclei"}


def test_outlines_of_qupath_are_measured(run, places, tmp_path):
    table = run(geojson(tmp_path / "n.geojson.gz", places))
    nuclei = table.frame
    np.testing.assert_allclose(nuclei["major_axis_um"], 8, rtol=0.01)
    np.testing.assert_allclose(np.sin(nuclei["orientation_rad"]), 0, atol=1e-6)
    assert set(nuclei["type"]) == {"a", "b"}
    assert nuclei["mean_haematoxylin"].isna().all()
    drawn = shapely.centroid(shapely.from_wkb(nuclei["contour_um"].to_numpy()))
    np.testing.assert_allclose(shapely.get_coordinates(drawn), nuclei[["x_um", "y_um"]], atol=1e-6)


def test_hover_net_and_a_parquet_of_outlines_are_the_same_nuclei(run, places, tmp_path):
    shapes = ellipses(places)
    nuc = {
        str(number): {"centroid": (place / MPP - 0.5).tolist(), "contour": [], "type": 1}
        for number, place in enumerate(places)
    }
    (tmp_path / "n.json").write_text(json.dumps({"mag": None, "nuc": nuc}))
    outlines = pd.DataFrame({"outline_um": [shapely.to_wkb(shape) for shape in shapes]})
    outlines.to_parquet(tmp_path / "n.parquet")
    one, other = run(tmp_path / "n.json").frame, run(tmp_path / "n.parquet").frame
    np.testing.assert_allclose(one[["x_um", "y_um"]], other[["x_um", "y_um"]], atol=1e-6)
    assert one["tile_id"].tolist() == other["tile_id"].tolist()


def test_tiles_of_another_slide_are_refused(places, tmp_path):
    tiles = write_grid(tmp_path / "t.parquet", columns=4, rows=3, tile_px=64)
    with pytest.raises(ArtefactError, match="other"):
        import_nuclei(tiles, csv(tmp_path / "n.csv", places), tmp_path / "n.parquet", slide_id="other", source="abc")
    assert not (tmp_path / "n.parquet").exists()


def test_our_own_table_comes_back_as_it_was(run, places, tmp_path):
    first = run(geojson(tmp_path / "g.geojson", places)).frame
    first.to_parquet(tmp_path / "own.parquet")
    pd.testing.assert_frame_equal(run(tmp_path / "own.parquet").frame, first, rtol=1e-12)


def test_nuclei_in_dropped_tiles_are_left_out_and_told(run, places, tmp_path, caplog):
    path = csv(tmp_path / "n.csv", places)
    tiles = read_tiles(write_grid(tmp_path / "all.parquet", columns=4, rows=3, tile_px=64))
    assert run(path, kept=False).reason == f"none of the {N_NUCLEI} nuclei lies in a kept tile"
    frame = tiles.frame.assign(kept=tiles.frame["tile_id"] == 5)

    header = {name: value for name, value in tiles.header.items() if name not in ("kind", "format_version")}
    write_tiles(tmp_path / "few.parquet", frame, TileHeader(**header))
    with caplog.at_level(logging.WARNING, logger="abignet"):
        import_nuclei(tmp_path / "few.parquet", path, tmp_path / "few_nuclei.parquet", slide_id="s", source="x")
    table = read_nuclei(tmp_path / "few_nuclei.parquet")
    assert set(table.frame["tile_id"]) == {5}
    assert table.header["cautions"] == [f"only {len(table.frame)} of the {N_NUCLEI} nuclei lie in kept tiles"]
    assert table.header["cautions"][0] in caplog.text


def test_an_empty_slide_or_file_gives_an_empty_table_with_its_reason(run, places, tmp_path):
    assert run(csv(tmp_path / "n.csv", places[:0])).reason == "the file holds no nucleus"
    assert run(csv(tmp_path / "m.csv", places), kept=False, reason="no tissue found").reason == "no tissue found"


def test_nuclei_of_another_slide_are_refused_and_tiles_that_share_tissue_too(run, places, tmp_path):
    with pytest.raises(ImportedFileError, match=r"n\.csv: \d+ of 60 nuclei lie outside slide s"):
        run(csv(tmp_path / "n.csv", places * 20))
    tiles = read_tiles(write_grid(tmp_path / "t.parquet", columns=4, rows=3, tile_px=64))
    header = {name: value for name, value in tiles.header.items() if name not in ("kind", "format_version")}

    write_tiles(tmp_path / "o.parquet", tiles.frame.assign(width_l0=100.0), TileHeader(**header))
    with pytest.raises(ConfigError, match="overlap by"):
        import_nuclei(tmp_path / "o.parquet", csv(tmp_path / "n.csv", places), tmp_path / "x", slide_id="s", source="x")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("n.csv", "x_um,y_um\n1,a\n", "row 2, column y_um: expected a number"),
        ("n.geojson", "{", "expected nuclei as GeoJSON"),
        ("n.csv", "x_um,y_um\n90000,90000\n", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_a_bad_slide(places, tmp_path, name, text, words):
    tiles = write_grid(tmp_path / "t.parquet", columns=4, rows=3, tile_px=64)
    (tmp_path / name).write_text(text)
    job = {"slide_id": "s", "source": "abc"}
    with pytest.raises(SlideError, match=f"{name}: {words}"):
        import_nuclei(tiles, tmp_path / name, tmp_path / "n.parquet", **job)
    import_nuclei(tiles, tmp_path / name, tmp_path / "n.parquet", **job, on_bad_slide="exclude")
    table = read_nuclei(tmp_path / "n.parquet")
    assert table.frame.empty
    assert table.reason.startswith(f"{name}: {words}")


def test_same_input_same_bytes(run, places, tmp_path):
    path = geojson(tmp_path / "g.geojson", places)
    run(path)
    first = (tmp_path / "n.parquet").read_bytes()
    run(path)
    assert (tmp_path / "n.parquet").read_bytes() == first


def test_nuclei_outside_a_drawn_mask_are_left_out(places: np.ndarray, tmp_path: Path) -> None:
    cells = np.ones((192, 256), bool)
    cells[:96] = False
    table = read_tiles(write_grid(tmp_path / "t.parquet", columns=4, rows=3, tile_px=64))
    header = {**table.header, "inside": InsideMask(cells, 256, 192).plain()}
    write_table(tmp_path / "t.parquet", table.frame, TILE_COLUMNS, header)
    found = csv(tmp_path / "n.csv", places)
    import_nuclei(tmp_path / "t.parquet", found, tmp_path / "n.parquet", slide_id="s", source="abc")
    kept = read_nuclei(tmp_path / "n.parquet").frame
    assert sorted(kept["y_um"]) == pytest.approx(sorted(places[places[:, 1] >= 48, 1]))
