from tests.commands.running import run


def test_graphs_of_a_slide_from_its_tables(tmp_path, painted, capsys):
    sheet = tmp_path / "slides.csv"
    sheet.write_text(f"slide_id,path,mpp\ngood,{painted},0.5\n")
    run(
        "features", "--sheet", sheet, "--out", tmp_path, "--set", "tiling.tile_px=128", "--set", "features.min_nuclei=3"
    )
    work = tmp_path / "work"
    tables = ["--tiles", work / "good.tiles.parquet", "--nuclei", work / "good.nuclei.parquet"]
    assert run("graphs", *tables, "--out", tmp_path / "g.zarr", "--set", "cell_graphs.kind=radius") == 0
    output = capsys.readouterr().out
    assert "4 graphs" in output
