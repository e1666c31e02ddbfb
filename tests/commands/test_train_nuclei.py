import numpy as np
import tifffile
from PIL import Image

from pipeline.nuclei.network.weights import load_weights
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from tests.commands.running import run


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
