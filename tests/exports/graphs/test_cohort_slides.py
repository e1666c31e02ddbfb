import pandas as pd
import pytest

from pipeline.artefacts.splits import write_splits
from pipeline.errors import CohortError
from pipeline.exports.graphs.cohort_slides import (
    CohortSlide,
    chosen,
    class_names,
    cohort_slides,
    slides_of_sheet,
    slides_of_splits,
    with_roles,
)

ROWS = [
    # slide, patient, label, seed, fold, role
    ("a", "p", "x", 0, 0, "test"),
    ("b", "q", "y", 0, 0, "train"),
    ("a", "p", "x", 0, 1, "structure"),
    ("b", "q", "y", 0, 1, "test"),
    ("a", "p", "x", 5, 0, "train"),
    ("b", "q", "y", 5, 0, "test"),
]


@pytest.fixture
def splits(tmp_path):
    columns = ["slide_id", "case_id", "label", "seed", "fold", "role"]
    write_splits(tmp_path / "splits.csv", pd.DataFrame(ROWS, columns=columns))
    return tmp_path / "splits.csv"


@pytest.fixture
def sheet(tmp_path):
    """Another order than the splits', and a slide that is not in them."""
    lines = ["b,b.h5,y,q", "c,c.h5,,", "a,a.h5,x,p"]
    for line in lines:
        (tmp_path / line.split(",")[1]).touch()
    (tmp_path / "slides.csv").write_text("\n".join(["slide_id,features,label,case_id", *lines]))
    return tmp_path / "slides.csv"


def test_a_sheet_without_patient_or_label(sheet):
    assert slides_of_sheet(sheet) == (
        CohortSlide("b", "q", "y"),
        CohortSlide("c", "c", None),
        CohortSlide("a", "p", "x"),
    )


def test_roles_of_one_fold_and_of_the_fold_that_tests_each(splits):
    assert slides_of_splits(splits, 0, 1) == (
        CohortSlide("a", "p", "x", 1, "structure"),
        CohortSlide("b", "q", "y", 1, "test"),
    )
    assert slides_of_splits(splits, 0, None) == (
        CohortSlide("a", "p", "x", 0, "test"),
        CohortSlide("b", "q", "y", 1, "test"),
    )
    assert slides_of_splits(splits, 5, None) == (CohortSlide("b", "q", "y", 0, "test"),)


@pytest.mark.parametrize("fold", [None, 0])
def test_a_seed_that_is_not_there_is_refused(splits, fold):
    with pytest.raises(CohortError, match=r"seed 7.*found seed"):
        slides_of_splits(splits, 7, fold)


def test_the_sheet_gives_the_order_and_the_splits_the_roles(sheet, splits):
    assert cohort_slides(sheet, (splits, 0), 0) == (
        CohortSlide("b", "q", "y", 0, "train"),
        CohortSlide("a", "p", "x", 0, "test"),
    )
    assert cohort_slides(sheet, None, None) == slides_of_sheet(sheet)
    assert cohort_slides(None, (splits, 0), 1) == slides_of_splits(splits, 0, 1)
    assert cohort_slides(None, None, None) == ()


@pytest.mark.parametrize("stranger", [CohortSlide("a", "other", "x"), CohortSlide("a", "p", "y")])
def test_another_patient_or_class_than_in_the_splits_is_refused(splits, stranger):
    with pytest.raises(CohortError, match=r"slide a: the sheet has patient .* Split again"):
        with_roles([stranger], slides_of_splits(splits, 0, 0), splits)


def test_classes_are_sorted_and_count_once():
    slides = [CohortSlide("a", "a", "y"), CohortSlide("b", "b"), CohortSlide("c", "c", "x"), CohortSlide("d", "d", "y")]
    assert class_names(slides) == ("x", "y")


def test_named_slides_in_the_order_of_the_names():
    slides = [CohortSlide(name, name) for name in "abc"]
    assert chosen(slides, ["c", "a"]) == (slides[2], slides[0])
    assert chosen(slides, []) == tuple(slides)


def test_all_slides_that_are_not_there_are_named_and_some_that_are():
    slides = [CohortSlide(f"s{number:02}", "p") for number in range(12)]
    with pytest.raises(CohortError, match=r"\(12 can: s00, .*s09, \.\.\.\), found z, y\."):
        chosen(slides, ["z", "s01", "y"])
    with pytest.raises(CohortError, match="0 can: none"):
        chosen([], [])
