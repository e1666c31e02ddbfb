"""The sheets of the real sets, built from folders of the same layout with pictures of a few pixels."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline.artefacts.sheet import read_sheet

SCRIPT = Path(__file__).parents[1] / "config/real/make_sheet.py"

TABLES = {
    "glas_subset": (
        "file,patient,grade_glas,grade_detailed,grade3\n"
        "testA_1.jpg,10,benign,healthy,normal\n"
        "testA_2.jpg,11,benign,adenomatous,normal\n"
        "testB_1.jpg,11,malignant,poorly differentiated,high_grade\n"
    ),
    "lc25000_subset": (
        "file,label\n"
        "lung_n___lungn3790_115.jpeg,lung_n\n"
        "lung_n___lungn462_119.jpeg,lung_n\n"
        "colon_n___colonn1_1.jpeg,colon_n\n"
    ),
}


def make_sheet(data: Path, sheet: Path, *name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(data), str(sheet), *name]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def data(tmp_path):
    for name, table in TABLES.items():
        images = tmp_path / "sets" / name / "images"
        images.mkdir(parents=True)
        (images.parent / "labels.csv").write_text(table)
        for number, line in enumerate(table.splitlines()[1:]):
            Image.new("RGB", (4, 3), (40 * number, 0, 0)).save(images / line.partition(",")[0])
    return tmp_path / "sets"


def test_images_of_glas_are_grouped_by_patient(data, tmp_path):
    sheet = tmp_path / "real/glas/slides.csv"
    assert make_sheet(data, sheet, "glas").stdout == f"{sheet}: 3 rows; 2 benign, 1 malignant\n"
    rows = read_sheet(sheet)
    assert [(row.slide_id, row.label, row.case_id) for row in rows] == [
        ("testA_1", "benign", "patient_10"),
        ("testA_2", "benign", "patient_11"),
        ("testB_1", "malignant", "patient_11"),
    ]
    assert {row.mpp for row in rows} == {0.62}


def test_images_of_lc25000_stand_alone_but_for_those_of_one_field(data, tmp_path):
    sheet = tmp_path / "slides.csv"
    assert make_sheet(data, sheet, "lc25000").returncode == 0
    first, second, other = read_sheet(sheet)
    assert [row.label for row in (first, second, other)] == ["lung_n", "lung_n", "colon_n"]
    assert first.case_id == second.case_id
    assert (first.case_given, other.case_given) == (True, False)
    assert other.mpp == 0.35


@pytest.mark.parametrize(("name", "folder"), [("glas", "glas_subset"), ("lc25000", "lc25000_subset")])
def test_a_missing_set_is_named(tmp_path, name, folder):
    run = make_sheet(tmp_path, tmp_path / "slides.csv", name)
    assert run.returncode == 2
    assert f"{folder}/labels.csv" in run.stderr
    assert f"ABIGNET_REAL_DATA must name the folder that holds {folder}" in run.stderr
    assert "Traceback" not in run.stderr


def test_all_missing_images_are_named_and_no_sheet_is_written(data, tmp_path):
    for name in ("testA_2.jpg", "testB_1.jpg"):
        (data / "glas_subset/images" / name).unlink()
    run = make_sheet(data, tmp_path / "slides.csv", "glas")
    assert run.returncode == 2
    assert "2 faults" in run.stderr
    assert "testA_2.jpg" in run.stderr
    assert "testB_1.jpg" in run.stderr
    assert not (tmp_path / "slides.csv").exists()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("file,patient\ntestA_1.jpg,10\n", "row 2, column grade_glas: expected a value"),
        ("file,patient,grade_glas\ntestA_1.jpg,,benign\n", "row 2, column patient: expected a value"),
        ("file,patient,grade_glas\n", "expected a row for each image"),
    ],
)
def test_a_faulty_table_of_labels_is_named(data, tmp_path, table, expected):
    (data / "glas_subset/labels.csv").write_text(table)
    run = make_sheet(data, tmp_path / "slides.csv", "glas")
    assert run.returncode == 2
    assert expected in run.stderr


@pytest.mark.parametrize(
    ("data_folder", "name", "expected"), [("", "glas", "ABIGNET_REAL_DATA"), (".", "x", "lc25000")]
)
def test_wrong_use_says_what_is_expected(tmp_path, data_folder, name, expected):
    command = [sys.executable, str(SCRIPT), data_folder, str(tmp_path / "s.csv"), name]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert expected in run.stderr
