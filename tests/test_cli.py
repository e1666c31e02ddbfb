import json
import logging

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles
from pipeline.cli import COMMANDS, abignet, main
from pipeline.nuclei.network.weights import load_weights
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue


@pytest.fixture(autouse=True)
def quiet_root_logger():
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = handlers


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    path = tmp_path_factory.mktemp("painted") / "tissue.png"
    tissue = paint_tissue(TissueSpec(), width_px=256, height_px=256, mpp=0.5, rng=np.random.default_rng(1))
    Image.fromarray(tissue.rgb).save(path)
    return path


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["synth", "slides"], ["synth", "planted"]])
def test_help_at_every_level(command):
    result = CliRunner().invoke(abignet, [*command, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: abignet" in result.output.replace("cli", "abignet")
    assert "--help" in result.output


def test_help_lists_the_commands_in_the_order_of_the_science():
    output = CliRunner().invoke(abignet, ["--help"]).output
    places = [output.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


def test_tile_writes_the_table_and_the_overview(tmp_path, painted, capsys):
    out, overview = tmp_path / "t.parquet", tmp_path / "t.png"
    code = run("tile", "--slide", painted, "--mpp-slide", 0.5, "--tile-px", 64, "--out", out, "--overview", overview)
    assert code == 0
    table = read_tiles(out)
    assert len(table.frame) == 16
    assert set(table.frame["width_l0"]) == {64.0}
    assert Image.open(overview).width > 100
    assert "tiles kept" in capsys.readouterr().out


def test_a_user_error_is_one_line_and_code_2(tmp_path, painted, capsys):
    assert run("tile", "--slide", painted, "--out", tmp_path / "t.parquet") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: slide tissue")
    assert "mpp" in error
    assert "Traceback" not in error


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path, painted, capsys):
    assert run("tile", "--slide", painted, "--out", tmp_path / "t.parquet", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["tile"], ["paint"], ["tile", "--slide", "none.svs", "--out", "t.parquet"]])
def test_wrong_usage_is_code_2(arguments, capsys):
    assert run(*arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_segment_writes_nuclei_masks_and_outlines(tmp_path, painted, capsys):
    out, masks, geojson = tmp_path / "n.parquet", tmp_path / "m.tif", tmp_path / "n.geojson.gz"
    code = run("segment", "--image", painted, "--mpp", 0.5, "--out", out, "--masks", masks, "--geojson", geojson)
    assert code == 0
    nuclei = read_nuclei(out).frame
    labels = tifffile.imread(masks)
    assert labels.dtype == np.uint32
    assert labels.shape == (256, 256)
    assert labels.max() == len(nuclei)
    assert f"{len(nuclei)} nuclei" in capsys.readouterr().out
    assert geojson.stat().st_size > 0


def test_missing_weights_are_never_replaced(tmp_path, painted, capsys):
    code = run("segment", "--image", painted, "--mpp", 0.5, "--weights", "cyto9", "--out", tmp_path / "n.parquet")
    assert code == 2
    assert "cyto9" in capsys.readouterr().err
    assert not (tmp_path / "n.parquet").exists()


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


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Twelve images of two classes whose first feature tells the class."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        label = "ab"[number % 2]
        features = rng.normal(size=(9, 4)).astype(np.float32)
        features[:, 0] += 6 * (label == "b")
        grid = np.stack(np.meshgrid(range(3), range(3)), -1).reshape(-1, 2) * 100
        store = FeatureStore(f"i{number}", features, ("w", "x", "y", "z"), grid, np.arange(9))
        write_features(folder / "features" / f"i{number}.zarr", store)
        rows.append((f"i{number}", f"features/i{number}.zarr", label, f"p{number // 2}"))
    pd.DataFrame(rows, columns=["slide_id", "features", "label", "case_id"]).to_csv(folder / "slides.csv", index=False)
    return folder


def test_train_and_predict_from_feature_caches_alone(tmp_path, cohort):
    out = tmp_path / "out"
    options = ["--folds", 3, "--seed", 5, "--set", "splits.select_share=0", "--set", "epochs=20"]
    assert run("train", "--sheet", cohort / "slides.csv", "--out", out, "--method", "logistic", *options) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["method"], metrics["seed"]) == ("logistic", 5)
    assert [entry["fold"] for entry in metrics["folds"]] == [0, 1, 2]
    assert metrics["mean"]["accuracy"] > 0.9
    splits = pd.read_csv(out / "splits.csv")
    assert {"slide_id", "case_id", "label", "seed", "fold", "role"} <= set(splits.columns)

    table = tmp_path / "predictions.csv"
    assert run("predict", "--model", out / "fold_0/model.pt", "--features", cohort / "features", "--out", table) == 0
    predictions = pd.read_csv(table)
    assert len(predictions) == 12
    assert {"slide_id", "case_id", "label", "predicted", "p_a", "p_b"} <= set(predictions.columns)


def test_train_with_several_methods_compares_them(tmp_path, cohort):
    out = tmp_path / "out"
    options = ["--folds", 2, "--set", "splits.select_share=0", "--set", "epochs=2", "--method", "default,mean_pool"]
    assert run("train", "--sheet", cohort / "slides.csv", "--out", out, *options) == 0
    assert (out / "default" / "metrics.json").is_file()
    assert (out / "mean_pool" / "fold_1" / "graphs.zarr").is_dir()
    assert set(pd.read_csv(out / "comparison.csv")["method"]) == {"default", "mean_pool"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--method", "magic"], "magic"),
        (["--folds", 50], "fold"),
        (["--set", "tempo=3"], "tempo"),
        (["--device", "cuda"], "CUDA"),
    ],
)
def test_train_refuses_what_cannot_be(tmp_path, cohort, capsys, arguments, expected):
    assert run("train", "--sheet", cohort / "slides.csv", "--out", tmp_path / "out", *arguments) == 2
    assert expected in capsys.readouterr().err


def test_both_kinds_of_feature_file_for_a_slide_is_an_error(tmp_path, cohort, capsys):
    sheet = tmp_path / "slides.csv"
    rows = [f"i{i},{cohort}/slides.csv,{'ab'[i % 2]}" for i in range(8)]
    sheet.write_text("\n".join(["slide_id,path,label", *rows]) + "\n")
    features = tmp_path / "features"
    features.mkdir()
    for name in ("i0.zarr", "i0.h5", *(f"i{i}.h5" for i in range(2, 8))):
        (features / name).touch()
    where = ["--sheet", sheet, "--features", features, "--out", tmp_path / "out"]
    assert run("train", *where, "--folds", 2) == 2
    error = capsys.readouterr().err
    assert "found i0.zarr and i0.h5" in error
    assert "slide i1: expected i1.zarr or i1.h5" in error


def test_doctor_finds_what_the_default_configuration_needs(capsys):
    assert run("doctor") == 0
    output = capsys.readouterr().out
    assert "torch" in output
    assert "nucleus weights" in output


def test_a_network_is_trained_from_folders_of_images_and_outlines(tmp_path, capsys):
    tissue = paint_tissue(TissueSpec(), width_px=160, height_px=160, mpp=0.5, rng=np.random.default_rng(2))
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        Image.fromarray(tissue.rgb).save(tmp_path / "images" / f"{name}.png")
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", tissue.labels.astype(np.uint16))
    where = ["--images", tmp_path / "images", "--masks", tmp_path / "masks", "--out", tmp_path / "w.pt"]
    small = [
        "--steps",
        2,
        "--warmup-steps",
        1,
        "--batch-size",
        1,
        "--base-channels",
        2,
        "--crop-px",
        64,
        "--synthetic",
        1,
    ]
    assert run("train-nuclei", *where, *small, "--data", "two painted tiles") == 0
    assert "AP@0.5" in capsys.readouterr().out
    weights = load_weights(tmp_path / "w.pt")
    assert "two painted tiles" in weights.training["images"]
    assert weights.channels == (2, 2, 4, 8, 16)

    (tmp_path / "masks" / "b.tif").unlink()
    assert run("train-nuclei", *where, *small) == 2
    assert "1 of them without mask (b.png)" in capsys.readouterr().err


def test_h5_files_of_other_tools_are_imported(tmp_path, capsys):
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        file["features"] = np.ones((2, 3), np.float32)
        file["coords"] = np.array([[0, 0], [512, 0]])
    assert run("import-h5", tmp_path, "--out", tmp_path / "caches") == 0
    assert read_features(tmp_path / "caches" / "slide.zarr").coords.tolist() == [[0, 0], [512, 0]]
    assert "1 feature caches" in capsys.readouterr().out


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


@pytest.fixture(scope="module")
def tiled(tmp_path_factory, painted):
    """A slide's table of 64-px tiles."""
    path = tmp_path_factory.mktemp("tiled") / "tissue.parquet"
    assert run("tile", "--slide", painted, "--mpp-slide", 0.25, "--set", "tiling.tile_px=32", "--out", path) == 0
    return path


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


def test_tile_outlines_go_out_for_qupath(tmp_path, tiled):
    assert run("export-tiles", "--tiles", tiled, "--style", "geojson", "--out", tmp_path / "t.geojson") == 0
    outlines = json.loads((tmp_path / "t.geojson").read_text())["features"]
    assert len(outlines) == len(read_tiles(tiled).frame)


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
