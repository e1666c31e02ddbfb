import json
from pathlib import Path

import h5py
import numpy as np
import openslide
from PIL import Image

from pipeline.artefacts.tables import empty_frame
from pipeline.artefacts.tile_coords import read_tile_coords
from pipeline.artefacts.tiles import COLUMNS, read_tiles
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.export_geojson import export_geojson
from pipeline.report.export_tiles import export_tiles
from pipeline.synthetic.painting.pyramid import write_pyramid
from tests.report.slide_tables import SLIDE_MPP, SLIDE_PX, TILE_PX, tile_frame, write_tile_table
from tests.slides.slide_files import tissue, write_images


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


def test_clam_reads_the_stored_level_at_which_a_tile_has_its_own_pixels(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "slide.tif", np.full((SLIDE_PX, SLIDE_PX, 3), 200, np.uint8), SLIDE_MPP)
    write_tile_table(tmp_path / "t.parquet", tile_frame(np.arange(25) == 0).assign(width_l0=2.0 * TILE_PX), "s")
    export_tiles(tmp_path / "t.parquet", clam_path=tmp_path / "c.h5", slide_path=tmp_path / "slide.tif")
    export_tiles(tmp_path / "t.parquet", clam_path=tmp_path / "unread.h5")
    for name, level, patch_px in (("c.h5", 1, TILE_PX), ("unread.h5", 0, 2 * TILE_PX)):
        with h5py.File(tmp_path / name) as file:
            attributes = file["coords"].attrs
            assert (attributes["patch_level"], attributes["patch_size"]) == (level, patch_px)


def test_clam_is_told_a_level_by_openslides_number_whatever_is_no_level_before_it(tmp_path: Path) -> None:
    rgb = np.full((SLIDE_PX, SLIDE_PX, 3), 246, np.uint8)
    rgb[:400, :400] = tissue(400, 400)
    label = np.full((SLIDE_PX // 2 + 64, SLIDE_PX * 3 // 4, 3), 250, np.uint8)
    write_images(tmp_path / "slide.tif", [rgb, label, np.asarray(Image.fromarray(rgb).reduce(2))])
    write_tile_table(tmp_path / "t.parquet", tile_frame(np.arange(25) == 0).assign(width_l0=2.0 * TILE_PX), "s")
    with openslide.OpenSlide(tmp_path / "slide.tif") as slide:
        assert slide.level_dimensions[2] == (SLIDE_PX // 2, SLIDE_PX // 2)
    export_tiles(tmp_path / "t.parquet", clam_path=tmp_path / "c.h5", slide_path=tmp_path / "slide.tif")
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["coords"].attrs["patch_level"] == 2


def test_a_slide_that_could_not_be_opened_for_tiling_is_not_opened_again(tmp_path: Path) -> None:
    write_tile_table(tmp_path / "t.parquet", empty_frame(COLUMNS), "s", "unreadable", mpp=None)
    paths = {"trident_path": tmp_path / "t.h5", "clam_path": tmp_path / "c.h5", "outlines_path": tmp_path / "o.geojson"}
    export_tiles(tmp_path / "t.parquet", slide_path=tmp_path / "unreadable.svs", **paths)
    assert features(tmp_path / "o.geojson") == []
    assert len(read_tile_coords(tmp_path / "c.h5").coords) == 0


def test_both_files_of_coordinates_hold_the_kept_tiles(standard_run: ReportSources, tmp_path: Path) -> None:
    tiles = standard_run.tiles["s00"]
    export_tiles(tiles, trident_path=tmp_path / "t.h5", clam_path=tmp_path / "c.h5")
    frame = read_tiles(tiles).frame
    kept = frame.loc[frame["kept"], ["x_l0", "y_l0"]].to_numpy()
    assert 0 < len(kept) < len(frame)
    for name in ("t.h5", "c.h5"):
        np.testing.assert_array_equal(read_tile_coords(tmp_path / name).coords, kept)
