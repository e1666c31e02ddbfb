import json

from pipeline.artefacts.tiles import read_tiles
from tests.commands.running import run


def test_tile_outlines_go_out_for_qupath(tmp_path, tiled):
    assert run("export-tiles", "--tiles", tiled, "--style", "geojson", "--out", tmp_path / "t.geojson") == 0
    outlines = json.loads((tmp_path / "t.geojson").read_text())["features"]
    assert len(outlines) == len(read_tiles(tiled).frame)
