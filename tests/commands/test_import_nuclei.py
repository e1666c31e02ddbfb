import json

import numpy as np
import pandas as pd

from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles
from tests.commands.running import run


def test_a_table_comes_in_and_leaves_for_qupath(tmp_path, tiled):
    header = read_tiles(tiled).header
    extent = header["width_l0"] * header["slide_mpp"]
    places = np.random.default_rng(0).uniform(0, extent, (50, 2))
    pd.DataFrame({"x_um": places[:, 0], "y_um": places[:, 1], "type": "T"}).to_csv(tmp_path / "n.csv", index=False)
    out, sent = tmp_path / "n.parquet", tmp_path / "n.geojson"
    assert run("import-nuclei", "--nuclei", tmp_path / "n.csv", "--tiles", tiled, "--out", out, "--geojson", sent) == 0
    table = read_nuclei(out)
    assert table.header["slide_id"] == header["slide_id"]
    assert 0 < len(table.frame) <= 50
    features = json.loads(sent.read_text())["features"]
    assert {feature["properties"]["classification"]["name"] for feature in features} == {"T"}
    assert run("import-nuclei", "--nuclei", sent, "--tiles", tiled, "--out", tmp_path / "back.parquet") == 0
    assert len(read_nuclei(tmp_path / "back.parquet").frame) == len(table.frame)


def test_a_file_of_no_nuclei_is_an_error(tmp_path, tiled, capsys):
    (tmp_path / "n.csv").write_text("a,b\n1,2\n")
    assert run("import-nuclei", "--nuclei", tmp_path / "n.csv", "--tiles", tiled, "--out", tmp_path / "n.parquet") == 2
    assert "where nuclei lie is not told" in capsys.readouterr().err
