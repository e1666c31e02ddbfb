from pipeline import errors
from pipeline.errors import AbignetError, SheetError


def test_every_user_error_is_of_one_hierarchy():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 5
    assert all(issubclass(kind, AbignetError) for kind in kinds)


def test_a_sheet_error_lists_and_counts_its_faults():
    error = SheetError("slides.csv", ["row 2: first", "row 9: second"])
    assert str(error) == "slides.csv: 2 faults:\n  row 2: first\n  row 9: second"
    assert str(SheetError("slides.csv", ["only"])).startswith("slides.csv: 1 fault:")
