import json
from pathlib import Path

import pytest

from pipeline.artefacts.sheet import SlideRow, read_sheet, rows_from_plain
from pipeline.errors import SheetError


@pytest.fixture
def write_sheet(tmp_path):
    for name in ("a.svs", "b.png", "c.tif"):
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
    assert "row 6: expected a path or features, found neither" in text
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
            "s3,a.svs,,,t.csv\n"
            "s4,a.svs,,,gone.h5\n"
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
