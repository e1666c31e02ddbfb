"""Sheets as people's programs write them: what is fine, and what each other thing says of itself."""

import io
import time
import zipfile
from pathlib import Path

import pytest

from pipeline.artefacts.sheet_cells import read_cells
from pipeline.errors import SheetError

TEXT = "slide_id,path,label\ns1,a.svs,größer\ns2,b.svs,\n"
CELLS = [(2, {"slide_id": "s1", "path": "a.svs", "label": "größer"}), (3, {"slide_id": "s2", "path": "b.svs"})]


@pytest.fixture
def sheet(tmp_path):
    def write(content: bytes | str) -> Path:
        path = tmp_path / "slides.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def faults(path: Path) -> list[str]:
    try:
        return read_cells(path)[1]
    except SheetError as error:
        return list(error.faults)


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.encode("utf-8-sig"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT.removesuffix("\n"),
        TEXT.replace("\n", "\n\n") + ",,\n\t, ,\n",
        TEXT.replace(",", " ,\t"),
        TEXT.replace("a.svs", '"a.svs"'),
        TEXT.replace(",a.svs", ', "a.svs"'),
    ],
)
def test_the_same_sheet_in_the_ways_that_programs_write_it(sheet, content):
    rows, found = read_cells(sheet(content))
    assert [cells for _, cells in rows] == [cells for _, cells in CELLS]
    assert found == []


def test_rows_have_the_numbers_that_a_spreadsheet_shows(sheet):
    rows, _ = read_cells(sheet('slide_id,path\n\ns1,"a\nb.svs"\n,\ns2,c.svs\n'))
    assert [number for number, _ in rows] == [3, 5]


def workbook() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (TEXT.encode("utf-16"), "UTF-16, which spreadsheets call Unicode text; save it as CSV UTF-8"),
        (TEXT.encode("utf-16-le"), "a byte of value 0 in line 1"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (TEXT.encode("latin-1"), "in line 2, which Latin-1 and Windows-1252 write for letters outside ASCII"),
        (TEXT.encode("utf-8") + b"s3,c\0.svs,\n", "a byte of value 0 in line 4"),
        (workbook(), "a workbook"),
        (TEXT.replace(",", ";"), "row 1: cells are not separated by commas"),
        (TEXT.replace(",", "\t"), "row 1: cells are not separated by commas"),
        ("sep=,\n" + TEXT, "row 1: delete this line"),
        ("", "row 1: column slide_id is missing; found nothing"),
        ("\n\n", "row 1: column slide_id is missing; found nothing"),
        (TEXT + "s3,c.svs\n", "row 4: expected 3 cells, found 2; write empty cells too, as ,,"),
        (TEXT + "s3,c.svs,a,b\n", "row 4: expected 3 cells, found 4; quote cells that hold a comma"),
        (TEXT + 's3,"c.svs,x\ns4,d.svs,y\n', "row 4: cells cannot be told apart (unexpected end of data)"),
        (TEXT + 's3,"c".svs,x\n', "row 4: cells cannot be told apart"),
        (TEXT + f"s3,{'x' * 1_000_000},x\n", "row 4: cells cannot be told apart (field larger than field limit"),
        (f"slide_id,{'x' * 100_000}\n", "(100,000 characters); known are slide_id"),
    ],
)
def test_what_is_no_sheet_says_what_it_is_where_and_what_to_do(sheet, content, expected):
    assert expected in "\n".join(faults(sheet(content)))
    assert max(map(len, faults(sheet(content)))) < 600


def test_a_header_alone_holds_no_rows(sheet):
    assert read_cells(sheet("slide_id,path\n")) == ([], [])


def test_faults_of_form_are_told_beside_each_other(sheet):
    found = faults(sheet(TEXT + "s3,c.svs\ns4,d.svs,x,y\ns5,e.svs,x\u00a0\n"))
    assert [fault.partition(":")[0].partition(",")[0] for fault in found] == ["row 4", "row 5", "row 6"]


def test_a_folder_and_a_missing_file_are_no_sheet(tmp_path):
    assert "no regular file" in faults(tmp_path)[0]
    assert "no such file; write a sheet" in faults(tmp_path / "none.csv")[0]


def test_a_hundred_thousand_rows_are_read_in_seconds(sheet):
    rows = "".join(f"s{i},slides/s{i}.svs,{'ab'[i % 2]}\n" for i in range(100_000))
    start = time.process_time()
    assert len(read_cells(sheet("slide_id,path,label\n" + rows))[0]) == 100_000
    assert time.process_time() - start < 20
