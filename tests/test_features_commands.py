import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.cli import main


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.fixture
def cohort(tmp_path):
    """Four slides of two patients and two classes; the feature follows the class."""
    lines = ["slide_id,features,label,case_id"]
    for number in range(4):
        x = np.array([[number % 2], [number % 2 + 0.1 * number]], np.float32)
        coords = np.array([[0, 0], [512, 0]])
        store = FeatureStore(f"s{number}", x, ("a",), coords, np.arange(2), tile_width_l0=512.0)
        write_features(tmp_path / "caches" / f"s{number}.zarr", store)
        lines.append(f"s{number},caches/s{number}.zarr,{'xy'[number % 2]},p{number // 2}")
    (tmp_path / "slides.csv").write_text("\n".join(lines))
    return tmp_path


def test_describe_writes_three_tables_and_a_summary(cohort, capsys):
    (cohort / "site.csv").write_text("slide_id,batch\ns0,m\ns1,m\ns2,n\ns3,n\n")
    where = ["--sheet", cohort / "slides.csv", "--features", cohort / "caches"]
    assert run("features", "describe", *where, "--out", cohort / "d", "--batch", cohort / "site.csv") == 0
    distribution = pd.read_csv(cohort / "d" / "distribution.csv")
    assert distribution["class"].tolist() == ["x", "y", "all"]
    assert distribution["n_tiles"].tolist() == [4, 4, 8]
    groups = pd.read_csv(cohort / "d" / "groups.csv").set_index("grouping")
    assert set(groups.index) == {"class", "patient", "batch"}
    assert groups.loc["class", "eta_squared"] > 0.9 > groups.loc["batch", "eta_squared"]
    assert pd.read_csv(cohort / "d" / "correlation.csv").columns.tolist() == ["feature", "a"]
    assert "1 features of 8 tiles of 4 images" in capsys.readouterr().out


def test_a_missing_cache_is_named(cohort, capsys):
    (cohort / "more.csv").write_text("slide_id,features\ns0,caches/s0.zarr\nt7,caches/s1.zarr\n")
    code = run(
        *(
            "features",
            "describe",
            "--sheet",
            cohort / "more.csv",
            "--features",
            cohort / "caches",
            "--out",
            cohort / "d",
        )
    )
    assert code == 2
    assert "1 are missing: t7" in capsys.readouterr().err


def test_features_without_a_sheet_is_wrong_usage(capsys):
    assert run("features") == 2
    assert "--sheet" in capsys.readouterr().err


def test_import_beside_and_in_micrometres(cohort, capsys):
    with h5py.File(cohort / "s1.h5", "w") as file:
        file["feats"], file["coords"] = np.array([[7.0], [8.0]], np.float16), np.array([[128.0, 0.0], [0.0, 0.0]])
        file.attrs.update({"unit": "um", "tile_size_um": 128.0, "tile_size_px": 224})
    assert run("import-h5", cohort / "s1.h5", "--out", cohort / "caches", "--beside", "uni") == 2
    assert "--mpp" in capsys.readouterr().err
    code = run("import-h5", cohort / "s1.h5", "--out", cohort / "caches", "--beside", "uni", "--mpp", 0.25)
    assert code == 0
    read = read_features(cohort / "caches" / "s1.zarr")
    assert read.embeddings["uni"].tolist() == [[8], [7]]
    assert read.feature_names == ("a",)
