"""The sheet of Extended CRC, from its own fold list and a folder of images that hold a few pixels."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipeline.artefacts.sheet import read_sheet

CONFIG = Path(__file__).parents[1] / "config/extended_crc"
NAMES = pd.read_csv(CONFIG / "folds.csv")["Image_Names"].tolist()


def make_sheet(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CONFIG / "make_sheet.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def images(tmp_path):
    for number, name in enumerate(NAMES):
        folder = tmp_path / "images" / name[:6]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1), (number % 256, number // 256, 0)).save(folder / name)
    return tmp_path / "images"


def test_the_official_folds_grades_and_patients(images, tmp_path):
    sheet = tmp_path / "sheets/slides.csv"
    made = make_sheet(images, sheet)
    assert made.stdout == f"{sheet}: 300 rows of 103 patients; 60 high_grade, 120 low_grade, 120 normal\n"
    rows = read_sheet(sheet)
    assert Counter(row.fold for row in rows) == {0: 100, 1: 100, 2: 100}
    # read_sheet refuses a patient in two folds.
    assert Counter(row.fold for row in {row.case_id: row for row in rows}.values()) == {0: 36, 1: 34, 2: 33}
    first = rows[0]
    assert (first.slide_id, first.label, first.case_id, first.mpp) == (
        "Grade1_Patient_003_009987_042595",
        "normal",
        "patient_003",
        0.5,
    )


def test_the_two_cancer_grades_are_one_class_if_asked(images, tmp_path):
    assert make_sheet(images, tmp_path / "slides.csv", "--binary", "--mpp", "0.55").returncode == 0
    rows = read_sheet(tmp_path / "slides.csv")
    assert Counter(row.label for row in rows) == {"normal": 120, "cancer": 180}
    assert {row.mpp for row in rows} == {0.55}


def test_missing_images_are_an_error_unless_a_part_is_asked_for(images, tmp_path):
    gone = [next(images.rglob(name)) for name in NAMES[:7]]
    for path in gone:
        path.unlink()
    sheet = tmp_path / "slides.csv"
    refused = make_sheet(images, sheet)
    assert refused.returncode == 2
    assert f"7 of 300 images missing: {', '.join(NAMES[:5])}, ...;" in refused.stderr
    assert not sheet.exists()
    assert make_sheet(images, sheet, "--subset").returncode == 0
    assert len(read_sheet(sheet)) == 293


def test_a_folder_without_images_is_an_error(tmp_path):
    refused = make_sheet(tmp_path, tmp_path / "slides.csv", "--subset")
    assert refused.returncode == 2
    assert "300 of 300 images missing" in refused.stderr
