from pipeline.artefacts.tiles import read_tiles
from tests.commands.running import run


def test_tiles_go_out_as_coordinates_and_come_back(tmp_path, painted, tiled):
    kept = read_tiles(tiled).frame.query("kept")
    for style in ("trident", "clam"):
        coords, back = tmp_path / f"{style}.h5", tmp_path / f"{style}.parquet"
        assert run("export-tiles", "--tiles", tiled, "--style", style, "--slide", painted, "--out", coords) == 0
        picture = tmp_path / f"{style}.png"
        where = ["--slide", painted, "--mpp-slide", 0.25, "--coords", coords, "--out", back, "--overview", picture]
        assert run("import-tiles", *where) == 0
        frame = read_tiles(back).frame
        for column in ("x_l0", "y_l0", "width_l0", "tile_px", "mpp", "kept"):
            assert frame[column].tolist() == kept[column].tolist()
        assert picture.stat().st_size > 0
