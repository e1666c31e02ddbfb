"""Names and slides that stand in a sheet twice: each found, each told with its rows, nothing else refused."""

from pathlib import Path

import pytest

from pipeline.artefacts.same_content import taken_fingerprints
from pipeline.artefacts.sheet_identity import PlacedRow, listed, same_slide_faults, spelling_faults


def rows(*cells: dict[str, str], sheet: str = "") -> list[PlacedRow]:
    return [PlacedRow(number, of_row, {}, sheet) for number, of_row in enumerate(cells, start=2)]


def test_clean_names_are_no_fault():
    clean = [{"slide_id": f"s{i}", "label": "AB"[i % 2], "case_id": f"p{i // 2}"} for i in range(6)]
    assert spelling_faults(rows(*clean)) == []


@pytest.mark.parametrize(
    ("column", "spellings"),
    [
        ("label", ("Tumor", "tumor")),
        ("label", ("MSI high", "MSI\u00a0high")),
        ("label", ("a  b", "a b")),
        ("label", ("Sj\u00f6gren", "Sjo\u0308gren")),
        ("case_id", ("P0", "p0")),
        ("case_id", ("P\u200b0", "P0")),
        ("case_id", ("\uff300", "P0")),
        ("slide_id", ("Slide.1", "slide.1")),
    ],
)
def test_two_spellings_are_told_with_all_their_rows_and_what_to_do(column, spellings):
    one, other = spellings
    ids = [{"slide_id": f"s{i}"} for i in range(3)]
    values = [one, other, one] if column != "slide_id" else [one, other, "s2"]
    (fault,) = spelling_faults(rows(*({**names, column: value} for names, value in zip(ids, values, strict=True))))
    assert fault.startswith(f"row 3, column {column}: ")
    assert ("(rows 2, 4)" if column != "slide_id" else "(row 2)") in fault
    assert "(row 3) differ only in" in fault
    assert ("rename one" if column == "slide_id" else "write one spelling") in fault


def test_a_repeated_id_is_told_once():
    (fault,) = spelling_faults(rows({"slide_id": "a"}, {"slide_id": "b"}, {"slide_id": "a"}))
    assert fault == "row 4, column slide_id: 'a' stands in rows 2, 4; ids must be unique"


def test_a_slide_without_patient_is_its_own_patient():
    (fault,) = spelling_faults(rows({"slide_id": "P1"}, {"slide_id": "s2", "case_id": "p1"}))
    assert "column case_id: 'P1' (row 2) and 'p1' (row 3)" in fault
    (fault,) = spelling_faults(rows({"slide_id": "P1"}, {"slide_id": "p1"}))
    assert "column slide_id" in fault


def test_between_two_sheets_only_what_they_share_is_told_and_the_other_sheet_named():
    cohort = rows({"slide_id": "a", "case_id": "P0"}, {"slide_id": "A", "case_id": "P1"}, sheet="slides.csv")
    new = rows({"slide_id": "n1", "case_id": "p0"}, {"slide_id": "N1", "case_id": "p9"}, {"slide_id": "a"})
    assert spelling_faults([*cohort, *new]) == [
        "row 4, column slide_id: 'a' stands in row 2 of slides.csv and row 4; ids must be unique",
        "row 4, column slide_id: 'a' (row 2 of slides.csv and row 4) and 'A' (row 3 of slides.csv) differ only in "
        "capital letters; rename one: results are files of these names, and some file systems take the two for one",
        "row 2, column case_id: 'P0' (row 2 of slides.csv) and 'p0' (row 2) differ only in capital letters; write one "
        "spelling of the patient in all rows, else its slides stand in training and in test at once",
    ]


@pytest.fixture
def slides(tmp_path):
    """Rows from tuples of slide file, patient, mask."""
    for name, content in (("a.svs", b"slide a"), ("copy of a.svs", b"slide a"), ("b.svs", b"slide b")):
        (tmp_path / name).write_bytes(content)
    for name, content in (("m1.json", b"one"), ("m2.json", b"two"), ("copy of m1.json", b"one")):
        (tmp_path / name).write_bytes(content)

    def place(*given: tuple[str, str, str], column: str = "path", sheet: str = "") -> list[PlacedRow]:
        placed = []
        for number, (slide, case_id, mask) in enumerate(given, start=2):
            cells = {"slide_id": f"s{number}", column: slide, "case_id": case_id, "mask": mask}
            filled = {name: text for name, text in cells.items() if text}
            files = {name: Path(tmp_path / filled[name]) for name in (column, "mask") if name in filled}
            placed.append(PlacedRow(number, filled, files, sheet))
        return placed

    return place


def faults(placed: list[PlacedRow]) -> list[str]:
    return same_slide_faults(placed, taken_fingerprints)


def test_different_slides_are_no_fault(slides):
    assert faults(slides(("a.svs", "p1", ""), ("b.svs", "p1", ""))) == []


@pytest.mark.parametrize("other", ["a.svs", "./a.svs", "copy of a.svs"])
@pytest.mark.parametrize("column", ["path", "features"])
def test_one_slide_under_two_ids_is_told_whatever_its_name(slides, other, column):
    (fault,) = faults(slides(("a.svs", "p1", ""), ("b.svs", "p2", ""), (other, "p3", ""), column=column))
    assert fault.startswith(f"row 4, column {column}: rows 2, 4 name ")
    assert "a.svs" in fault
    assert other in fault
    assert "leave one row" in fault


@pytest.mark.parametrize("masks", [("m1.json", "m2.json"), ("", "m1.json")])
@pytest.mark.parametrize("other", ["a.svs", "copy of a.svs"])
def test_regions_of_a_slide_of_one_patient_are_no_fault(slides, other, masks):
    assert faults(slides(("a.svs", "p1", masks[0]), (other, "p1", masks[1]))) == []


@pytest.mark.parametrize(
    ("cases", "masks"),
    [
        (("p1", "p2"), ("m1.json", "m2.json")),
        (("", ""), ("m1.json", "m2.json")),
        (("p1", "p1"), ("m1.json", "m1.json")),
        (("p1", "p1"), ("m1.json", "copy of m1.json")),
        (("p1", "p1"), ("", "")),
    ],
)
def test_regions_of_two_patients_and_one_region_twice_are_faults(slides, cases, masks):
    (fault,) = faults(slides(("a.svs", cases[0], masks[0]), ("a.svs", cases[1], masks[1])))
    assert fault.startswith("row 3, column path: rows 2, 3 name one file, a.svs")


def test_a_slide_of_the_cohort_among_the_new_ones_is_told(slides):
    cohort = slides(("a.svs", "p1", ""), ("a.svs", "p2", ""), sheet="slides.csv")
    (fault,) = faults([*cohort, *slides(("copy of a.svs", "p9", ""), ("b.svs", "p8", ""))])
    assert fault.startswith("row 2, column path: rows 2, 3 of slides.csv and row 2 name files with the same bytes")
    assert faults([*cohort, *slides(("b.svs", "p8", ""))]) == []


def test_many_rows_are_counted():
    assert listed([7]) == "row 7"
    assert listed(range(2, 8)) == "rows 2, 3, 4, 5, 6, 7"
    assert listed(range(2, 102)) == "rows 2, 3, 4, 5, 6, 7 and 94 more"
