import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from pipeline.artefacts import nuclei as nucleus_files
from pipeline.artefacts import tiles as tile_files
from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tables import empty_frame, write_table
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import ArtefactError
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.export_geojson import export_geojson, nuclei_geojson
from tests.report.slide_tables import TILE_PX, nuclei_frame, tile_frame, write_nucleus_table, write_tile_table


def export(sources: ReportSources, out: Path, features: Path | None) -> tuple[list[dict], list[dict]]:
    paths = out / "s00.nuclei.geojson.gz", out / "s00.patches.geojson"
    export_geojson(sources.tiles["s00"], sources.nuclei["s00"], features, *paths, slide_id="s00")
    return json.loads(gzip.decompress(paths[0].read_bytes()))["features"], json.loads(paths[1].read_text())["features"]


def test_nuclei_and_patches_equal_the_tables(standard_run: ReportSources, tmp_path: Path) -> None:
    nuclei, patches = export(standard_run, tmp_path, None)
    table, tiles = read_nuclei(standard_run.nuclei["s00"]).frame, read_tiles(standard_run.tiles["s00"]).frame
    assert len(nuclei) == len(table) > 0
    centres = np.array([shapely.Polygon(f["geometry"]["coordinates"][0]).centroid.coords[0] for f in nuclei])
    np.testing.assert_allclose(centres * 0.5, table[["x_um", "y_um"]], atol=0.05)
    assert len(patches) == len(tiles) == 25
    for feature, row in zip(patches, tiles.to_dict("records"), strict=True):
        shape = shapely.Polygon(feature["geometry"]["coordinates"][0])
        assert shape.bounds == (row["x_l0"], row["y_l0"], row["x_l0"] + TILE_PX, row["y_l0"] + TILE_PX)
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert properties["classification"]["name"] == ("Patch kept" if row["kept"] else "Patch dropped")
        assert properties["measurements"]["tissue_fraction"] == row["tissue_fraction"]
        counted = {"n_nuclei": 12.0} if row["kept"] else {}
        assert {k: v for k, v in properties["measurements"].items() if k == "n_nuclei"} == counted


def test_nuclei_and_patches_are_moved_alike_by_the_bounds_of_the_slide(
    standard_run: ReportSources, tmp_path: Path
) -> None:
    table = read_tiles(standard_run.tiles["s00"]).frame
    write_tile_table(tmp_path / "t.parquet", table, "s00", bounds_l0=(100, 40, 300, 300))
    moved = replace(standard_run, tiles={"s00": tmp_path / "t.parquet"})
    for before, after in zip(
        export(standard_run, tmp_path / "a", None), export(moved, tmp_path / "b", None), strict=True
    ):
        for one, other in zip(before, after, strict=True):
            shift = np.array(one["geometry"]["coordinates"][0]) - np.array(other["geometry"]["coordinates"][0])
            np.testing.assert_allclose(shift, np.broadcast_to([100, 40], shift.shape), atol=1e-9)


def test_features_join_by_corner_and_leave_undefined_values_out(standard_run: ReportSources, tmp_path: Path) -> None:
    store = read_features(standard_run.features["s00"])
    valid = np.ones(store.features.shape, bool)
    valid[4, 1] = False
    # Ids of an imported store need not be those of the tile table.
    changed = replace(store, valid=valid, tile_id=np.arange(len(valid)) + 100)
    write_features(tmp_path / "f.zarr", changed)
    _, patches = export(standard_run, tmp_path, tmp_path / "f.zarr")
    by_corner = {tuple(f["geometry"]["coordinates"][0][0]): f["properties"]["measurements"] for f in patches}
    for node, corner in enumerate(store.coords.tolist()):
        numbers = by_corner[tuple(map(float, corner))]
        assert numbers["graph_node"] == node
        assert numbers["first"] == pytest.approx(float(store.features[node, 0]))
        assert ("second" in numbers) == (node != 4)
    assert sum("graph_node" in numbers for numbers in by_corner.values()) == 9


def test_same_tables_give_the_same_bytes(standard_run: ReportSources, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(standard_run, tmp_path / name, standard_run.features["s00"])
    for file in ("s00.nuclei.geojson.gz", "s00.patches.geojson"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_slide_that_could_not_be_opened_gives_empty_collections(tmp_path: Path) -> None:
    write_tile_table(tmp_path / "t.parquet", empty_frame(tile_files.COLUMNS), "s", "unreadable", mpp=None)
    write_nucleus_table(tmp_path / "n.parquet", empty_frame(nucleus_files.COLUMNS), "s", "unreadable", mpp=None)
    outs = tmp_path / "n.geojson.gz", tmp_path / "p.geojson"
    export_geojson(tmp_path / "t.parquet", tmp_path / "n.parquet", None, *outs, slide_id="s")
    for raw in (gzip.decompress(outs[0].read_bytes()), outs[1].read_bytes()):
        assert json.loads(raw) == {"type": "FeatureCollection", "features": []}


def test_tiles_without_nuclei_count_zero(tmp_path: Path) -> None:
    write_tile_table(tmp_path / "t.parquet", tile_frame(np.arange(25) == 3), "s")
    write_nucleus_table(tmp_path / "n.parquet", empty_frame(nucleus_files.COLUMNS), "s", "none found")
    export_geojson(
        tmp_path / "t.parquet",
        tmp_path / "n.parquet",
        None,
        tmp_path / "n.geojson",
        tmp_path / "p.geojson",
        slide_id="s",
    )
    features = json.loads((tmp_path / "p.geojson").read_text())["features"]
    assert [f["properties"]["measurements"].get("n_nuclei") for f in features][2:5] == [None, 0.0, None]


def test_a_tile_that_could_not_be_read_has_no_count(standard_run: ReportSources, tmp_path: Path) -> None:
    table = read_nuclei(standard_run.nuclei["s00"])
    frame = table.frame[table.frame["tile_id"] != 7].assign(nucleus_id=lambda rows: np.arange(len(rows)))
    header = table.header | {"unreadable_tiles": [7]}
    write_table(tmp_path / "n.parquet", frame, nucleus_files.COLUMNS, header)
    _, patches = export(replace(standard_run, nuclei={"s00": tmp_path / "n.parquet"}), tmp_path, None)
    assert [patches[tile]["properties"]["measurements"].get("n_nuclei") for tile in (6, 7, 8)] == [12.0, None, 12.0]


def test_cli_form_takes_the_slide_from_the_table_and_points_for_what_has_no_area(tmp_path: Path) -> None:
    frame = nuclei_frame(np.array([20.0, 60.0, 9.0]), np.array([20.0, 60.0, 5.0]), np.zeros(3), np.zeros(3, int))
    frame.loc[1, "contour_um"] = shapely.to_wkb(shapely.Polygon([(0, 0), (5, 5), (0, 0)]))
    frame.loc[2, "contour_um"] = None
    frame["type"] = ["Tumor", None, "Stroma"]
    write_nucleus_table(tmp_path / "n.parquet", frame, "named")
    nuclei_geojson(tmp_path / "n.parquet", tmp_path / "n.geojson")
    features = json.loads((tmp_path / "n.geojson").read_text())["features"]
    assert [feature["geometry"]["type"] for feature in features] == ["Polygon", "Point", "Point"]
    assert [f["properties"]["classification"]["name"] for f in features] == ["Tumor", "Nucleus", "Stroma"]
    for feature, row in zip(features, frame.itertuples(), strict=True):
        numbers = feature["properties"]["measurements"]
        assert [numbers["x_px"], numbers["y_px"]] == [row.x_um / 0.5, row.y_um / 0.5]
    assert features[2]["geometry"]["coordinates"] == [18.0, 10.0]


def test_rows_without_pixel_size_are_refused(tmp_path: Path) -> None:
    frame = nuclei_frame(np.array([20.0]), np.array([20.0]), np.zeros(1), np.zeros(1, int))
    write_nucleus_table(tmp_path / "n.parquet", frame, "s", mpp=None)
    with pytest.raises(ArtefactError, match=r"n.parquet: expected the slide's um per pixel beside 1 nuclei"):
        nuclei_geojson(tmp_path / "n.parquet", tmp_path / "n.geojson")
