import os
import shutil

import h5py
import numpy as np
from PIL import Image

from pipeline.artefacts.features import read_features
from tests.commands.running import run


def test_features_of_a_sheet_skip_what_is_up_to_date_and_survive_a_bad_slide(tmp_path, painted, capsys):
    (tmp_path / "broken.png").write_bytes(painted.read_bytes()[:2000])
    sheet = tmp_path / "slides.csv"
    sheet.write_text(f"slide_id,path,mpp\nbroken,broken.png,0.5\ngood,{painted},0.5\n")
    settings = ["--set", "tiling.tile_px=128", "--set", "features.min_nuclei=3"]
    code = run("features", "--sheet", sheet, "--out", tmp_path / "out", *settings)
    assert code == 2
    captured = capsys.readouterr()
    assert "1 of 2 slides failed" in captured.err
    assert "broken" in captured.err
    store = read_features(tmp_path / "out" / "good.zarr")
    assert len(store.features) == 4
    assert len(store.feature_names) > 69
    made = (tmp_path / "out" / "good.zarr" / "zarr.json").stat().st_mtime_ns
    run("features", "--sheet", sheet, "--out", tmp_path / "out", *settings)
    assert (tmp_path / "out" / "good.zarr" / "zarr.json").stat().st_mtime_ns == made
    run("features", "--sheet", sheet, "--out", tmp_path / "out", *settings, "--force")
    assert (tmp_path / "out" / "good.zarr" / "zarr.json").stat().st_mtime_ns > made


def test_features_are_made_again_of_a_replaced_file_and_not_of_a_copy(tmp_path, painted):
    slide, sheet = tmp_path / "a.png", tmp_path / "slides.csv"
    shutil.copy(painted, slide)
    sheet.write_text("slide_id,path,mpp\ngood,a.png,0.5\n")
    settings = ["--set", "tiling.tile_px=128", "--set", "features.min_nuclei=3", "--set", "nuclei.segmenter=watershed"]

    def made() -> int:
        assert run("features", "--sheet", sheet, "--out", tmp_path / "out", *settings) == 0
        return (tmp_path / "out/good.zarr/zarr.json").stat().st_mtime_ns

    first = made()
    os.utime(slide)
    assert made() == first
    Image.open(slide).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(slide)
    os.utime(slide, (0, 0))
    assert made() > first


def test_features_of_a_slide_with_given_tiles(tmp_path, painted):
    coords = tmp_path / "t.h5"
    with h5py.File(coords, "w") as file:
        file["coords"] = np.array([[128, 0], [10, 20]])
        file["coords"].attrs.update({"patch_size": 100, "patch_level": 0})
    sheet = tmp_path / "slides.csv"
    sheet.write_text(f"slide_id,path,mpp,tiles\ngood,{painted},0.5,t.h5\n")
    assert run("features", "--sheet", sheet, "--out", tmp_path / "out", "--set", "features.min_nuclei=3") == 0
    store = read_features(tmp_path / "out" / "good.zarr")
    assert store.coords.tolist() == [[128, 0], [10, 20]]
    assert (store.tile_px, store.mpp, store.tile_width_l0) == (100, 0.5, 100.0)


def test_features_without_a_sheet_is_wrong_usage(capsys):
    assert run("features") == 2
    assert "--sheet" in capsys.readouterr().err
