import pytest

from pipeline.artefacts.sheet_values import row_faults, typed_cells


def test_numbers_are_numbers_and_the_rest_is_text():
    cells = {"slide_id": "s1", "path": "a.svs", "label": "1", "mpp": "0.25", "fold": "2"}
    assert typed_cells(2, cells) == (cells | {"mpp": 0.25, "fold": 2}, [])
    assert row_faults(2, cells) == []


@pytest.mark.parametrize(
    ("column", "text", "fault"),
    [
        ("slide_id", "a b", "expected a unique name"),
        ("slide_id", "x" * 201, "(201 characters)"),
        ("label", 'a"b', "without commas, quotes or line breaks"),
        ("features", "a.csv", "expected a feature file"),
        ("mpp", "-1", "found '-1'"),
        ("mpp", "1_0", "plain digits, such as 0.25"),
        ("fold", "-1", "a whole number from 0"),
        ("fold", "99999999999", "a whole number from 0"),
        ("mask", "m.tif", "GeoJSON"),
        ("tiles", "t.zarr", ".h5"),
    ],
)
def test_a_cell_that_its_column_does_not_allow_is_told_with_row_and_column(column, text, fault):
    _, (found,) = typed_cells(7, {column: text})
    assert found.startswith(f"row 7, column {column}: expected ")
    assert fault in found


@pytest.mark.parametrize(
    ("cells", "faults"),
    [
        ({"slide_id": "s1"}, ["expected a path, features or nuclei, found none"]),
        ({"path": "a"}, ["slide_id is empty"]),
        ({"slide_id": "s", "path": "a", "tiles": "t", "mask": "m"}, ["both say which tiles are used"]),
        (
            {"slide_id": "s", "features": "f", "tiles": "t"},
            ["need the slide they are of", "are not used where features"],
        ),
    ],
)
def test_what_cells_lack_or_contradict_together_is_told(cells, faults):
    found = row_faults(3, cells)
    assert len(found) == len(faults)
    assert all(fault in told and told.startswith("row 3") for fault, told in zip(faults, found, strict=True))
