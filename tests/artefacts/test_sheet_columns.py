import pytest

from pipeline.artefacts.sheet_columns import COLUMNS


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("slide_id", "TCGA-A6.01_x", "-a"),
        ("slide_id", "7", "a/b"),
        ("features", "a/b.zarr/", "a.pt"),
        ("features", "a.h5", ".h5"),
        ("label", "MSI high", "a,b"),
        ("case_id", "p 1", 'p"1'),
        ("mpp", 0.25, 0.0),
        ("mpp", 50.0, 51.0),
        ("fold", 0, -1),
        ("fold", 3, 1.5),
        ("mask", "m.geojson", "m.xml"),
        ("mask", "m.json", "m"),
        ("tiles", "c.h5", "c.csv"),
    ],
)
def test_what_a_cell_may_hold(column: str, good: object, bad: object) -> None:
    assert COLUMNS[column].rule.allows(good)
    assert not COLUMNS[column].rule.allows(bad)
