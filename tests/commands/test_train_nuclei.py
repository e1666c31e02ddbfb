import numpy as np
import tifffile
from PIL import Image

from pipeline.commands.train_nuclei import _params, painted_images
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.network.weights import load_weights
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from tests.commands.running import run


def test_painted_images_are_the_same_whatever_the_number_of_processes():
    alone, shared = painted_images(3, seed=5), painted_images(3, seed=5, processes=2)
    for ours, theirs in zip(alone, shared, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_short_training_has_a_short_rise_and_a_card_has_16_bits():
    assert _params({"steps": 150, "seed": None}, on_card=False) == NucleiTrainingParams(steps=150, warmup_steps=15)
    assert _params({}, on_card=True) == NucleiTrainingParams(bfloat16=True)
    assert not _params({"bfloat16": False}, on_card=True).bfloat16


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
        "--workers",
        0,
    ]
    assert run("train-nuclei", *where, *small, "--data", "two painted tiles") == 0
    assert "AP@0.5" in capsys.readouterr().out
    weights = load_weights(tmp_path / "w.pt")
    assert "two painted tiles" in weights.training["images"]
    assert weights.channels == (2, 2, 4, 8, 16)

    two = ["--images", tmp_path / "images", "--masks", tmp_path / "masks", *where, *small]
    told = ["--images-licence", "CC0-1.0", "--images-licence", "CC-BY-4.0", "--attribution", "", "--attribution", "Ann"]
    assert run("train-nuclei", *two, "--out", tmp_path / "two.pt", *told, "--share", 1, "--share", 3) == 0
    sources = load_weights(tmp_path / "two.pt").training["sources"]
    assert [(s["images"], s["licence"], s["attribution"], s["share"]) for s in sources] == [
        (2, "CC0-1.0", "", 1.0),
        (2, "CC-BY-4.0", "Ann", 3.0),
    ]
    assert run("train-nuclei", *two, "--share", 1) == 2
    assert "2 folders of --images, but --share 1 times" in capsys.readouterr().err

    (tmp_path / "masks" / "b.tif").unlink()
    assert run("train-nuclei", *where, *small) == 2
    assert "1 of them without mask (b.png)" in capsys.readouterr().err
