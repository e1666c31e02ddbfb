"""The stages on real H&E images; runs when ABIGNET_REAL_DATA names their folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.features import read_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles

ROOT = Path(__file__).parents[2]
ABIGNET = Path(sys.executable).parent / "abignet"
DATA = Path(os.environ.get("ABIGNET_REAL_DATA", ""))
IMAGES = ["img1", "img7", "img23", "img50"]

pytestmark = pytest.mark.skipif(not os.environ.get("ABIGNET_REAL_DATA"), reason="ABIGNET_REAL_DATA names no folder")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    sheet = folder / "slides.csv"
    make = [sys.executable, str(ROOT / "config/real/make_sheet.py"), str(DATA), str(sheet)]
    subprocess.run(make, check=True)
    rows = pd.read_csv(sheet, keep_default_na=False)
    assert len(rows) == 102
    assert rows["label"].value_counts().to_dict() == {"epithelial": 41, "": 37, "inflammatory": 24}
    rows[rows["slide_id"].isin(IMAGES)].to_csv(sheet, index=False)
    config = ["--config", str(ROOT / "config/real/config.yaml")]
    subprocess.run([str(ABIGNET), "features", "--sheet", str(sheet), "--out", str(folder / "out"), *config], check=True)
    return folder / "out"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_gives_sixteen_tiles_and_features_without_holes_in_the_contract(caches, image):
    tiles = read_tiles(caches / "work" / f"{image}.tiles.parquet").frame
    assert len(tiles) == 16
    np.testing.assert_allclose(tiles["width_l0"], 128 * 0.5 / 0.55)
    store = read_features(caches / f"{image}.zarr")
    assert len(store.features) + sum(store.dropped.values()) == int(tiles["kept"].sum())


def test_nuclei_are_found_in_about_the_number_that_pathologists_marked(caches):
    marked = pd.read_csv(DATA / "crchistophenotypes/images.csv").set_index("file")["n_detected"]
    found = {image: len(read_nuclei(caches / "work" / f"{image}.nuclei.parquet").frame) for image in IMAGES}
    # 16 tiles of 116 px cover (465 / 500)^2 of an image.
    ratios = [found[image] / (0.865 * marked[f"{image}.webp"]) for image in IMAGES]
    assert 0.5 < np.median(ratios) < 1.6


def test_a_slide_without_mpp_is_refused_by_name():
    slide = DATA / "wsi_tcga_frozen/tcga-cr-7395-01a-01-ts1.svs"
    run = subprocess.run(
        [str(ABIGNET), "tile", "--slide", str(slide), "--out", os.devnull], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "tcga-cr-7395" in run.stderr
    assert "mpp" in run.stderr


def test_a_real_slide_is_tiled_at_its_physical_size(tmp_path):
    slide = DATA / "wsi_openslide/CMU-1-Small-Region.svs"
    subprocess.run(
        [str(ABIGNET), "tile", "--slide", str(slide), "--tile-px", "256", "--out", str(tmp_path / "t.parquet")],
        check=True,
    )
    table = read_tiles(tmp_path / "t.parquet")
    assert table.header["slide_mpp"] == pytest.approx(0.499)
    assert table.frame["width_l0"].iloc[0] == pytest.approx(256 * 0.5 / 0.499)
    assert 10 < table.frame["kept"].sum() < len(table.frame) == 88
