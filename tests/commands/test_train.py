import pandas as pd
import pytest

from pipeline.commands.train import method_names, tuned_params
from pipeline.errors import ConfigError
from pipeline.logs import ROOT_LOGGER
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import TrainingParams
from tests.commands.running import run


def test_methods_are_one_several_or_all():
    assert method_names("joint") == ("joint",)
    assert method_names("logistic, default,joint") == ("logistic", "default", "joint")
    assert method_names("all") == tuple(METHODS)


def test_each_fold_has_the_settings_of_its_own_file(tmp_path):
    (tmp_path / "fold_0.yaml").write_text("training: {epochs: 3}")
    (tmp_path / "fold_12.yaml").write_text("training: {dropout: 0.5}")
    for other in ("final.yaml", "fold_best.yaml", "fold_1.txt"):
        (tmp_path / other).write_text("no: configuration")
    assert tuned_params(tmp_path) == {0: TrainingParams(epochs=3), 12: TrainingParams(dropout=0.5)}


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "fold_3.yaml").write_text("training: {tempo: 3}")
    with pytest.raises(ConfigError, match=r"training\.tempo"):
        tuned_params(tmp_path)


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


def test_both_kinds_of_feature_file_for_a_slide_is_an_error(tmp_path, capsys):
    sheet = tmp_path / "slides.csv"
    for i in range(8):
        (tmp_path / f"i{i}.svs").touch()
    rows = [f"i{i},i{i}.svs,{'ab'[i % 2]}" for i in range(8)]
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


def test_all_takes_what_is_installed_and_says_what_it_leaves_out(monkeypatch, caplog):
    monkeypatch.setattr("pipeline.training.methods.packages.find_spec", lambda name: None)
    caplog.set_level("WARNING", logger=ROOT_LOGGER)
    names = method_names("all")
    assert "patch_gcn" in names
    assert "abmil" not in names
    assert "abmil is left out: it needs the package torchmil" in caplog.text
