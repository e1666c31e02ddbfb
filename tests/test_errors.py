import errno
import os

import pytest

from pipeline import errors
from pipeline.errors import AbignetError, OutputError, SheetError, first_line, refused_place


def test_every_user_error_is_of_one_hierarchy():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 5
    assert all(issubclass(kind, AbignetError) for kind in kinds)


def test_a_sheet_error_lists_and_counts_its_faults():
    error = SheetError("slides.csv", ["row 2: first", "row 9: second"])
    assert str(error) == "slides.csv: 2 faults:\n  row 2: first\n  row 9: second"
    assert str(SheetError("slides.csv", ["only"])).startswith("slides.csv: 1 fault:")


def test_a_sheet_of_countless_faults_lists_the_first_and_keeps_all():
    error = SheetError("slides.csv", [f"row {i}: x" for i in range(100_000)])
    assert str(error).startswith("slides.csv: 100,000 faults:\n  row 0: x\n")
    assert str(error).endswith("\n  and 99,800 more")
    assert len(error.faults) == 100_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EISDIR, errno.EEXIST])
def test_a_place_that_the_system_refuses_is_named(number):
    error = refused_place(OSError(number, "words", "results/x"))
    assert isinstance(error, OutputError)
    assert str(error) == f"results/x: {os.strerror(number)}. Make room, mend the permissions or choose another place."


def test_only_writing_is_known_without_a_place():
    assert "a result cannot be written: No space" in str(refused_place(OSError(errno.ENOSPC, "words")))
    for defect in (OSError("words"), OSError(errno.EACCES, "words"), OSError(errno.ENOENT, "words", "x")):
        assert refused_place(defect) is None


def test_the_first_line_of_an_error_or_its_name_is_told():
    assert first_line(ValueError("what is wrong\nand where")) == "what is wrong"
    assert first_line(KeyError()) == "KeyError"
