"""Tiles that go out to other tools and come back, and grids that nuclei cannot be counted on."""

import pytest

from pipeline.artefacts.tiles import read_tiles

SHEET = "slide_id,path\na,slides/slides/s01.tif\n"


@pytest.fixture(scope="module")
def run(new_run):
    made = new_run("shared")
    (made.folder / "other.csv").write_text(SHEET)
    done = made.snakemake("coords", changed={"sheet": "other.csv"})
    assert done.returncode == 0, done.stderr[-3000:]
    return made


def test_exported_tiles_take_the_place_of_the_grid(run):
    before = read_tiles(run.results / "tiles/a.parquet").frame.query("kept")
    (run.folder / "given.csv").write_text(
        "slide_id,path,tiles\na,slides/slides/s01.tif,results/coords/trident/a_patches.h5\n"
    )
    changed = {"sheet": "given.csv", "outdir": "given"}
    assert run.planned("tiles", changed=changed) == {"import_tiles": 1, "tiles": 1}
    for target in ("features", "coords", "geojson"):
        planned = run.planned(target, changed=changed)
        assert planned["import_tiles"] == 1, target
        assert "tile_slide" not in planned, target
    done = run.snakemake("cell_graphs", changed=changed)
    assert done.returncode == 0, done.stderr[-3000:]
    after = read_tiles(run.folder / "given/tiles/a.parquet").frame
    for column in ("x_l0", "y_l0", "width_l0", "tile_px"):
        assert after[column].tolist() == before[column].tolist()
    assert after["kept"].all()


@pytest.mark.parametrize("grid", [{"overlap_px": 32}, {"edge": "shift", "tile_px": 120}])
def test_tiles_that_share_tissue_are_refused_by_segmentation_alone(run, grid):
    done = run.snakemake("nuclei", changed={"sheet": "other.csv", "outdir": "overlapping", "tiling": grid})
    assert done.returncode != 0
    assert (run.folder / "overlapping/tiles/a.parquet").exists()
    assert "overlap by" in done.stdout + done.stderr
    assert "tiling.overlap_px: 0" in done.stdout + done.stderr
