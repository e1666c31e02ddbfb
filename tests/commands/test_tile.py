from PIL import Image

from pipeline.artefacts.tiles import read_tiles
from tests.commands.running import run


def test_tile_writes_the_table_and_the_overview(tmp_path, painted, capsys):
    out, overview = tmp_path / "t.parquet", tmp_path / "t.png"
    code = run("tile", "--slide", painted, "--mpp-slide", 0.5, "--tile-px", 64, "--out", out, "--overview", overview)
    assert code == 0
    table = read_tiles(out)
    assert len(table.frame) == 16
    assert set(table.frame["width_l0"]) == {64.0}
    assert Image.open(overview).width > 100
    assert "tiles kept" in capsys.readouterr().out
