import pandas as pd
import pytest

from tests.commands.running import run


def test_describe_writes_three_tables_and_a_summary(described, capsys):
    (described / "site.csv").write_text("slide_id,batch\ns0,m\ns1,m\ns2,n\ns3,n\n")
    where = ["--sheet", described / "slides.csv", "--features", described / "caches"]
    assert run("features", "describe", *where, "--out", described / "d", "--batch", described / "site.csv") == 0
    distribution = pd.read_csv(described / "d" / "distribution.csv")
    assert distribution["class"].tolist() == ["x", "y", "all"]
    assert distribution["n_tiles"].tolist() == [4, 4, 8]
    groups = pd.read_csv(described / "d" / "groups.csv").set_index("grouping")
    assert set(groups.index) == {"class", "patient", "batch"}
    assert groups.loc["class", "eta_squared"] > 0.9 > groups.loc["batch", "eta_squared"]
    assert pd.read_csv(described / "d" / "correlation.csv").columns.tolist() == ["feature", "a"]
    assert "1 features of 8 tiles of 4 images" in capsys.readouterr().out


def test_a_missing_cache_is_named(described, capsys):
    (described / "more.csv").write_text("slide_id,features\ns0,caches/s0.zarr\nt7,caches/s1.zarr\n")
    code = run(
        *(
            "features",
            "describe",
            "--sheet",
            described / "more.csv",
            "--features",
            described / "caches",
            "--out",
            described / "d",
        )
    )
    assert code == 2
    assert "1 are missing: t7" in capsys.readouterr().err


def test_caches_without_a_training_become_one_file(described, tmp_path, capsys):
    anndata = pytest.importorskip("anndata")
    where = ["--sheet", described / "slides.csv", "--features", described / "caches"]
    assert run("features", "export-anndata", *where, "--out", tmp_path / "c.h5ad") == 0
    assert "8 tiles of 4 slides" in capsys.readouterr().out
    assert not anndata.read_h5ad(tmp_path / "c.h5ad").obsp
