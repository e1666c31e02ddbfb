"""GlaS and LC25000 from the real folder to feature caches; runs when ABIGNET_REAL_DATA names it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.artefacts.features import read_features
from pipeline.artefacts.tiles import read_tiles

ROOT = Path(__file__).parents[2]
ABIGNET = Path(sys.executable).parent / "abignet"
DATA = Path(os.environ.get("ABIGNET_REAL_DATA", ""))

pytestmark = pytest.mark.skipif(not os.environ.get("ABIGNET_REAL_DATA"), reason="ABIGNET_REAL_DATA names no folder")


def sheet_of(name: str, sheet: Path) -> pd.DataFrame:
    make = [sys.executable, str(ROOT / "config/real/make_sheet.py"), str(DATA), str(sheet), name]
    subprocess.run(make, check=True)
    return pd.read_csv(sheet, keep_default_na=False)


def test_glas_has_ten_patients_two_of_them_with_both_classes(tmp_path):
    rows = sheet_of("glas", tmp_path / "slides.csv")
    assert rows["label"].value_counts().to_dict() == {"benign": 11, "malignant": 11}
    classes = rows.groupby("case_id")["label"].nunique()
    assert len(classes) == 10
    assert set(classes[classes == 2].index) == {"patient_4", "patient_11"}


def test_lc25000_has_twenty_images_a_class_and_four_pairs_of_one_field(tmp_path):
    rows = sheet_of("lc25000", tmp_path / "slides.csv")
    assert set(rows["label"].value_counts()) == {20}
    assert rows["label"].nunique() == 5
    shared = rows[rows["case_id"] != ""]
    pairs = shared.groupby("case_id")["label"].agg(list)
    assert len(pairs) == 4
    assert all(first == second for first, second in pairs)


@pytest.mark.parametrize(
    ("name", "image", "n_tiles", "least_patches"),
    [("glas", "testA_30", 24, 20), ("lc25000", "lung_n___lungn1613_108", 16, 8)],
)
def test_an_image_is_cut_wholly_and_keeps_enough_patches(tmp_path, name, image, n_tiles, least_patches):
    sheet = tmp_path / "slides.csv"
    rows = sheet_of(name, sheet)
    rows[rows["slide_id"] == image].to_csv(sheet, index=False)
    command = [str(ABIGNET), "features", "--sheet", str(sheet), "--out", str(tmp_path / "out")]
    subprocess.run([*command, "--config", str(ROOT / f"config/{name}/config.yaml")], check=True)
    assert len(read_tiles(tmp_path / "out/work" / f"{image}.tiles.parquet").frame) == n_tiles
    assert len(read_features(tmp_path / "out" / f"{image}.zarr").features) >= least_patches
