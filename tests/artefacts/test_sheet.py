import json
import os
import re
import time
from pathlib import Path

import pytest

from pipeline.artefacts.sheet import SlideRow, read_sheet, read_sheets, rows_from_plain
from pipeline.errors import AbignetError, SheetError


@pytest.fixture
def write_sheet(tmp_path):
    for name in ("a.svs", "b.png", "c.tif", "d.svs", "e.svs"):
        (tmp_path / name).touch()

    def write(text: str) -> Path:
        path = tmp_path / "slides.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def faults(path: Path) -> tuple[str, ...]:
    with pytest.raises(SheetError) as caught:
        read_sheet(path)
    return caught.value.faults


def test_a_row_keeps_its_values_and_paths_are_relative_to_the_sheet(write_sheet):
    path = write_sheet("slide_id,path,label,case_id,mpp,fold\ns1,a.svs,tumour,p1,0.25,0\ns2,b.png,normal,p2,,1\n")
    first, second = read_sheet(path)
    assert first == SlideRow("s1", path.parent / "a.svs", None, "tumour", "p1", True, 0.25, 0, None)
    assert second.mpp is None


def test_a_row_goes_as_text_and_numbers_and_comes_back(write_sheet):
    text = "slide_id,path,mask,label,mpp\ns1,a.svs,regions.geojson,tumour,0.25\ns2,c.tif,,,\n"
    path = write_sheet(text)
    (path.parent / "regions.geojson").touch()
    rows = read_sheet(path)
    plain = json.loads(json.dumps([row.plain() for row in rows]))
    assert plain[0]["mask"] == str(rows[0].mask)
    assert rows_from_plain(plain) == rows


def test_absent_and_empty_columns_have_their_stated_meaning(write_sheet):
    (row,) = read_sheet(write_sheet("slide_id,path,label\ns1,a.svs,\n"))
    assert row.label is None
    assert (row.case_id, row.case_given) == ("s1", False)


def test_a_byte_order_mark_blank_lines_and_spaces_do_no_harm(write_sheet):
    (row,) = read_sheet(write_sheet("\ufeffslide_id, path\n\n s1 , a.svs \n,\n"))
    assert row.slide_id == "s1"


def test_all_faults_are_reported_at_once_with_their_rows(write_sheet):
    found = faults(
        write_sheet(
            "slide_id,path,label,case_id,mpp,fold\n"
            "s1,a.svs,x,p1,0.5,0\n"
            "bad id,b.png,y,p1,zero,1\n"
            "s1,missing.png,x,p2,,\n"
            ",c.tif,y,p3,,0\n"
            "s5,,y,p1,,1\n"
            "s6,c.tif,y,p1,900,1\n"
            "s7,c.tif,y,p1,,1\n"
        )
    )
    text = "\n".join(found)
    assert "row 3, column slide_id: expected a unique name" in text
    assert "found 'bad id'" in text
    assert "row 3, column mpp" in text
    assert "'zero'" in text
    assert "row 4, column path: no such file" in text
    assert "row 4, column slide_id: 's1' stands in rows 2, 4" in text
    assert "row 4, column fold: given for some labelled slides only" in text
    assert "row 5: slide_id is empty" in text
    assert "row 6: expected a path, features or nuclei, found none" in text
    assert "row 7, column mpp" in text
    assert "patient 'p1' is in fold 0 (row 2), fold 1 (row 8)" in text
    rows = [int(fault.split()[1].strip(",:")) for fault in found]
    assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path\na.svs\n", "column slide_id is missing"),
        ("slide_id,path,colour\ns1,a.svs,red\n", "unknown column 'colour'"),
        ("slide_id,path,path\ns1,a.svs,a.svs\n", "column 'path' stands 2 times"),
        ("slide_id;path\ns1;a.svs\n", "not separated by commas"),
        ("slide_id,path\n", "no slide"),
        ("", "column slide_id is missing"),
        ("slide_id,path\ns1,a.svs,extra\n", "row 2: expected 2 cells, found 3"),
        ('slide_id,path,label\ns1,a.svs,"a,b"\n', "row 2, column label"),
        ("slide_id,features\ns1,a.svs\n", "row 2, column features"),
        ("slide_id,path,label,fold\ns1,a.svs,x,0\ns2,b.png,y,0\n", "found only fold 0"),
    ],
)
def test_one_fault_names_itself(write_sheet, text, expected):
    assert expected in "\n".join(faults(write_sheet(text)))


def test_coordinates_of_tiles_are_a_path_relative_to_the_sheet(write_sheet, tmp_path):
    (tmp_path / "t.h5").touch()
    first, second = read_sheet(write_sheet("slide_id,path,tiles\ns1,a.svs,t.h5\ns2,b.png,\n"))
    assert (first.tiles, second.tiles) == (tmp_path / "t.h5", None)


def test_faults_of_tiles_name_their_row_and_what_to_do(write_sheet, tmp_path):
    for name in ("t.h5", "m.geojson", "f.h5"):
        (tmp_path / name).touch()
    found = faults(
        write_sheet(
            "slide_id,path,features,mask,tiles\n"
            "s1,a.svs,,m.geojson,t.h5\n"
            "s2,,f.h5,,t.h5\n"
            "s3,d.svs,,,t.csv\n"
            "s4,e.svs,,,gone.h5\n"
        )
    )
    assert [fault.split(":")[0] for fault in found] == [
        "row 2, column tiles",
        "row 3, column tiles",
        "row 3, column tiles",
        "row 4, column tiles",
        "row 5, column tiles",
    ]
    assert "and a mask both say which tiles are used" in found[0]
    assert any("need the slide they are of in column path" in fault for fault in found[1:3])
    assert any("not used where features are given" in fault for fault in found[1:3])
    assert "found 't.csv'" in found[3]
    assert "no such file" in found[4]


def test_a_missing_sheet_says_what_to_write(tmp_path):
    assert "slide_id and path" in faults(tmp_path / "none.csv")[0]


def test_a_sheet_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "slides.csv"
    path.write_bytes("slide_id,label\ns1,gr\xf6\xdfe\n".encode("latin-1"))
    assert "UTF-8" in faults(path)[0]


IDENTITY = [
    (
        "s1,a.svs,Tumor,p1",
        "s2,b.png,tumor,p2",
        "column label: 'Tumor' (row 2) and 'tumor' (row 3) differ only in capital",
    ),
    (
        "s1,a.svs,x y,p1",
        "s2,b.png,x\u00a0y,p2",
        r"column label: 'x y' (row 2) and 'x\xa0y' (row 3) differ only in spaces",
    ),
    ("s1,a.svs,x,P0", "s2,b.png,y,p0", "column case_id: 'P0' (row 2) and 'p0' (row 3) differ only in capital letters"),
    ("S1,a.svs,x,p1", "s1,b.png,y,p2", "column slide_id: 'S1' (row 2) and 's1' (row 3) differ only in capital letters"),
    (
        "s1,a.svs,x,p1",
        "s2,./a.svs,y,p2",
        "column path: rows 2, 3 name one file, a.svs, ./a.svs; one slide under several",
    ),
    ("s1,a.svs,x,p1", "s2,b.png,y\u00a0,p2", r"column label: 'y\xa0' begins or ends with U+00A0 (no-break space)"),
    (
        "s1,a.svs,x,p1",
        "s2,b.png,y,\u200bp2",
        r"column case_id: '\u200bp2' begins or ends with U+200B (zero width space)",
    ),
]


@pytest.mark.parametrize(("one", "other", "expected"), IDENTITY)
def test_names_that_look_the_same_and_one_slide_under_two_ids_are_faults(write_sheet, one, other, expected):
    found = faults(write_sheet(f"slide_id,path,label,case_id\n{one}\n{other}\n"))
    assert [fault for fault in found if fault.startswith(f"row 3, {expected}")]


def test_copies_of_a_slide_are_found_by_their_bytes_and_regions_of_it_are_no_fault(write_sheet, tmp_path):
    for name in ("a.svs", "b.png"):
        (tmp_path / name).write_bytes(b"the same slide")
    for name, content in (("m.json", "{}"), ("n.json", "[]")):
        (tmp_path / name).write_text(content)
    (fault,) = faults(write_sheet("slide_id,path,case_id\ns1,a.svs,p1\ns2,b.png,p1\n"))
    assert "rows 2, 3 name files with the same bytes, a.svs, b.png" in fault
    regions = write_sheet("slide_id,path,case_id,mask\ns1,a.svs,p1,m.json\ns2,b.png,p1,n.json\n")
    assert len(read_sheet(regions)) == 2


def test_a_sheet_that_was_checked_is_read_without_comparing_contents(write_sheet):
    assert len(read_sheet(write_sheet("slide_id,path\ns1,a.svs\ns2,a.svs\n"), None)) == 2


def test_a_sheet_that_has_been_checked_asks_for_no_file(write_sheet):
    sheet = write_sheet("slide_id,path\ns1,gone.svs\n")
    with pytest.raises(SheetError):
        read_sheet(sheet)
    assert [row.slide_id for row in read_sheet(sheet, None)] == ["s1"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("slide_id,path\u00a0", r"unknown column 'path\xa0'; write path"),
        ("slide_id,Path", "unknown column 'Path'; write path"),
        ("slide_id\u200b,path", r"unknown column 'slide_id\u200b'; write slide_id"),
        ("slide_id,path,", "column 3 has no name; name it or delete it"),
    ],
)
def test_columns_that_look_like_known_ones_say_what_to_write(write_sheet, header, expected):
    assert f"row 1: {expected}" in faults(write_sheet(f"{header}\ns1,a.svs\n"))


def test_a_missing_file_names_the_one_that_looks_the_same(write_sheet, tmp_path):
    (tmp_path / "Sjo\u0308gren.svs").touch()
    found = faults(write_sheet("slide_id,path\ns1,A.svs\ns2,Sj\u00f6gren.svs\ns3,none.svs\n"))
    assert "beside it lies 'a.svs', which only looks the same" in found[0]
    assert r"beside it lies 'Sjo\u0308gren.svs', which only looks the same" in found[1]
    assert "beside" not in found[2]


@pytest.fixture
def write_new(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "new.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_sheet_of_new_slides_stands_beside_that_of_the_cohort(write_sheet, write_new):
    sheet = write_sheet("slide_id,path,label\ns1,a.svs,x\n")
    cohort, new = read_sheets(sheet, write_new("slide_id,path\nn1,b.png\n"))
    assert ([row.slide_id for row in cohort], [row.slide_id for row in new]) == (["s1"], ["n1"])
    assert read_sheets(sheet, None) == (cohort, ())


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("s1,b.png,,p9", "column slide_id: 's1' stands in row 2 of {sheet} and row 2; ids must be unique"),
        ("S1,b.png,,p9", "column slide_id: 's1' (row 2 of {sheet}) and 'S1' (row 2) differ only in capital letters"),
        ("n1,b.png,,p0", "column case_id: 'P0' (row 2 of {sheet}) and 'p0' (row 2) differ only in capital letters"),
        ("n1,b.png,X,p9", "column label: 'x' (row 2 of {sheet}) and 'X' (row 2) differ only in capital letters"),
        ("n1,a.svs,,p9", "column path: row 2 of {sheet} and row 2 name one file, a.svs"),
    ],
)
def test_what_two_sheets_share_or_spell_in_two_ways_is_a_fault_of_the_new_one(write_sheet, write_new, row, expected):
    sheet = write_sheet("slide_id,path,label,case_id\ns1,a.svs,x,P0\n")
    with pytest.raises(SheetError) as caught:
        read_sheets(sheet, write_new(f"slide_id,path,label,case_id\n{row}\n"))
    assert caught.value.faults[0].startswith("row 2, " + expected.format(sheet=sheet))


def test_faults_of_both_sheets_are_told_at_once(write_sheet, write_new):
    with pytest.raises(AbignetError, match=r"(?s)slides.csv: 1 fault.*new.csv: 2 faults"):
        read_sheets(write_sheet("slide_id,path\ns1,gone.svs\n"), write_new("slide_id,path\ns1,none.svs\n"))


REPLACED = re.compile(r"\{[^{}]*\}|<[a-z]+>")


@pytest.mark.parametrize("name", ["a{word}.svs", "b{0}.svs", "c{{x}}.svs", "d<x>.svs", "e{slide}.svs"])
def test_what_a_workflow_would_replace_in_a_path_is_a_fault_of_its_row_there(write_sheet, write_new, name):
    path = write_sheet(f"slide_id,path\ns1,a.svs\ns2,{name}\n")
    (path.parent / name).touch()
    with pytest.raises(SheetError, match=r"row 3, column path: .*, which the workflow would replace; rename"):
        read_sheets(path, None, replaced=REPLACED)
    assert len(read_sheet(path)) == 2
    clean = path.parent / "clean.csv"
    clean.write_text("slide_id,path\ns1,a.svs\n")
    new = write_new(f"slide_id,path\nn1,{name}\n")
    with pytest.raises(SheetError, match=r"new.csv: 1 fault:\n  row 2, column path: "):
        read_sheets(clean, new, replaced=REPLACED)


@pytest.mark.parametrize(
    "name", ["{.svs", "}.svs", "x$HOME.svs", "g h.svs", "i'q.svs", "j;k.svs", "m&n.svs", "<A>.svs"]
)
def test_what_a_workflow_takes_as_it_is_is_no_fault(write_sheet, name):
    path = write_sheet(f"slide_id,path\ns1,{name}\n")
    (path.parent / name).touch()
    assert read_sheets(path, None, replaced=REPLACED)[0][0].path == path.parent / name


@pytest.mark.parametrize(
    ("column", "text", "remedy"),
    [
        ("mpp", "nan", "leave it empty"),
        ("mpp", "inf", "plain digits"),
        ("mpp", "1_0", "plain digits"),
        ("mpp", "\uff11\uff10", "plain digits"),
        ("mpp", "0x10", "plain digits"),
        ("mpp", "0.5 um", "without a unit: 0.5"),
        ("mpp", '"0,5"', "write a decimal point: 0.5"),
        ("fold", "1_0", "plain digits"),
        ("fold", "\uff11", "plain digits"),
        ("fold", "1.0", "plain digits"),
        ("fold", "nan", "leave it empty"),
    ],
)
def test_numbers_are_plain_ones(write_sheet, column, text, remedy):
    (fault,) = faults(write_sheet(f"slide_id,path,{column}\ns1,a.svs,{text}\n"))
    assert fault.startswith(f"row 2, column {column}: expected ")
    assert remedy in fault


@pytest.mark.parametrize("text", ["-0.5", "0", "1e-9", "1e308"])
def test_a_plain_number_beyond_the_bounds_is_a_fault_too(write_sheet, text):
    (fault,) = faults(write_sheet(f"slide_id,path,mpp\ns1,a.svs,{text}\n"))
    assert f"found '{text}'" in fault


def test_what_cannot_be_a_file_is_a_fault_and_no_crash(write_sheet, tmp_path):
    os.mkfifo(tmp_path / "pipe.svs")
    rows = f"s1,{'x' * 5000}\n{'y' * 300},a.svs\ns3,pipe.svs\ns4,a.svs/b.svs\ns5,.\n"
    found = faults(write_sheet("slide_id,path\n" + rows))
    assert [fault.split(":")[0] for fault in found] == [
        "row 2, column path",
        "row 3, column slide_id",
        "row 4, column path",
        "row 5, column path",
        "row 6, column path",
    ]
    assert "expected a file, found a pipe or a device" in found[2]
    assert "expected a file, found a folder" in found[4]


def test_a_hundred_thousand_rows_are_checked_in_seconds(write_sheet, tmp_path):
    for i in range(100):
        (tmp_path / f"{i}.svs").write_text(str(i) * i)
    rows = "".join(f"s{i},{i % 100}.svs,{'ab'[i % 2]},p{i}\n" for i in range(100_000))
    start = time.process_time()
    found = faults(write_sheet("slide_id,path,label,case_id\n" + rows))
    assert len(found) == 100
    assert time.process_time() - start < 60


def test_nuclei_of_others_stand_beside_a_slide_or_alone(write_sheet, tmp_path):
    (tmp_path / "n.csv").touch()
    (tmp_path / "m.geojson").touch()
    rows = read_sheet(write_sheet("slide_id,path,nuclei\ns1,a.svs,n.csv\ns2,,m.geojson\n"))
    assert [row.nuclei for row in rows] == [tmp_path / "n.csv", tmp_path / "m.geojson"]
    assert rows[1].path is None
    assert rows_from_plain([row.plain() for row in rows]) == rows


def test_nuclei_alone_cannot_stand_beside_features_or_a_mask(write_sheet, tmp_path):
    for name in ("n.csv", "f.h5", "m.geojson"):
        (tmp_path / name).touch()
    text = "slide_id,nuclei,features,mask\ns1,n.csv,f.h5,\ns2,n.txt,,\ns3,n.csv,,m.geojson\n"
    found = "\n".join(faults(write_sheet(text)))
    assert "row 2, column nuclei: nuclei are not used where features are given" in found
    assert "row 3, column nuclei: expected nuclei that another program found" in found
    assert "row 4, column mask: a mask needs the slide" in found
    assert "row 4, column nuclei: rows 2, 4 name one file" in found
