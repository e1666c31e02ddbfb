import json
from pathlib import Path

import numpy as np

from pipeline.artefacts.tile_coords import read_tile_coords
from pipeline.artefacts.tiles import read_tiles
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.export_geojson import export_geojson
from pipeline.report.export_tiles import export_tiles


def features(path: Path) -> list[dict]:
    return json.loads(path.read_text())["features"]


def test_outlines_are_those_of_the_patches(standard_run: ReportSources, tmp_path: Path) -> None:
    tiles = standard_run.tiles["s00"]
    export_geojson(
        tiles, standard_run.nuclei["s00"], None, tmp_path / "n.geojson", tmp_path / "p.geojson", slide_id="s00"
    )
    export_tiles(tiles, outlines_path=tmp_path / "tiles.geojson")
    outlines = features(tmp_path / "tiles.geojson")
    assert len(outlines) == 25
    for outline, patch in zip(outlines, features(tmp_path / "p.geojson"), strict=True):
        assert outline["geometry"] == patch["geometry"]
        assert outline["properties"]["classification"] == patch["properties"]["classification"]
        assert "n_nuclei" not in outline["properties"]["measurements"]


def test_both_files_of_coordinates_hold_the_kept_tiles(standard_run: ReportSources, tmp_path: Path) -> None:
    tiles = standard_run.tiles["s00"]
    export_tiles(tiles, trident_path=tmp_path / "t.h5", clam_path=tmp_path / "c.h5")
    frame = read_tiles(tiles).frame
    kept = frame.loc[frame["kept"], ["x_l0", "y_l0"]].to_numpy()
    assert 0 < len(kept) < len(frame)
    for name in ("t.h5", "c.h5"):
        np.testing.assert_array_equal(read_tile_coords(tmp_path / name).coords, kept)
