import numpy as np
import pandas as pd
import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort.fold_plan import LabelledSlide
from pipeline.training.cohort.patient_folds import assign_folds, assign_roles
from pipeline.training.cohort.role_tables import final_table, slides_of_splits, split_table
from pipeline.training.cohort.roles import Split, role_counts, slides_with_roles
from pipeline.training.cohort.seeds import derived_seed
from pipeline.training.params import SplitParams

PARAMS = SplitParams(folds=3)


def slides(n=9, folds=None):
    """``n`` patients of each class with two slides each; ``folds`` holds a digit a patient."""
    return [
        LabelledSlide(f"{label}{p}_{i}", f"{label}{p}", label, None if folds is None else int(folds[p]))
        for label in "ab"
        for p in range(n)
        for i in range(2)
    ]


def test_a_split_is_named_by_its_fold():
    assert [Split(0, fold).name for fold in (3, None)] == ["fold_3", "final"]
    assert [Split(0, fold).title for fold in (3, None)] == ["fold 3", "final"]
    assert Split(7, 3).seeds.of("x") == derived_seed(7, "fold 3", "x")
    assert Split(7, None).seeds.of("x") == derived_seed(7, "final", "x")


def test_every_slide_stands_once_in_every_fold_in_the_order_given():
    table = split_table(slides(), PARAMS, seeds=[4, 2])
    assert list(dict.fromkeys(zip(table["seed"], table["fold"], strict=True))) == [
        (s, f) for s in (4, 2) for f in range(3)
    ]
    for _, rows in table.groupby(["seed", "fold"]):
        assert rows["slide_id"].tolist() == [slide.slide_id for slide in slides()]


def test_folds_and_roles_are_drawn_with_their_own_seeds():
    """By the two drawings themselves: folds of all, then roles of those outside the fold."""
    table = split_table(slides(), PARAMS, seeds=[5])
    fold_of = assign_folds(slides(), 3, np.random.default_rng(derived_seed(5, "folds")))
    for fold in range(3):
        rest = [slide for slide in slides() if fold_of[slide.case_id] != fold]
        expected = assign_roles(rest, PARAMS, np.random.default_rng(derived_seed(5, fold, "roles")))
        rows = table[table["fold"] == fold]
        assert [expected.get(row.case_id, "test") for row in rows.itertuples()] == rows["role"].tolist()


def test_the_sheets_folds_are_the_test_folds():
    table = split_table(slides(folds="112233777"), PARAMS, seeds=[0])
    tested = table[table["role"] == "test"]
    assert tested.groupby("fold")["case_id"].nunique().to_dict() == {1: 4, 2: 4, 3: 4, 7: 6}


def test_a_planned_fold_without_slides_has_roles_and_no_test_image():
    table = split_table(slides(folds="112233777"), PARAMS, seeds=[0], folds=[1, 2, 3, 5, 7])
    assert set(table["fold"]) == {1, 2, 3, 5, 7}
    lost = table[table["fold"] == 5]
    assert len(lost) == 36
    assert set(lost["role"]) == {"train", "structure", "select"}


def test_the_final_roles_hold_nothing_back():
    table = final_table(slides(), PARAMS, seed=5)
    expected = assign_roles(slides(), PARAMS, np.random.default_rng(derived_seed(5, "final roles")))
    assert table["role"].tolist() == [expected[slide.case_id] for slide in slides()]
    assert "test" not in set(table["role"])
    assert set(table["fold"]) == {-1}


def test_slides_come_back_from_their_splits():
    plain = [LabelledSlide(s.slide_id, s.case_id, s.label) for s in slides()]
    assert slides_of_splits(split_table(slides(), PARAMS, seeds=[0, 1])) == plain


def test_what_cannot_be_filled_says_where():
    with pytest.raises(CohortError, match=r"usable slides, found a \(9 patients\)"):
        split_table([slide for slide in slides() if slide.label == "a"], PARAMS, seeds=[0])
    with pytest.raises(CohortError, match="all patients of class 'b' lie in test fold 1"):
        split_table([s for s in slides(folds="112233777") if s.label == "a" or s.fold == 1], PARAMS, seeds=[0])
    few = [s for s in slides(folds="112233777") if s.label == "a" or s.case_id in ("b0", "b2")]
    with pytest.raises(CohortError, match="seed 3, fold 1: outside the test fold the roles train and structure"):
        split_table(few, PARAMS, seeds=[3])


def test_slides_are_chosen_and_counted_by_role():
    rows = pd.DataFrame({"slide_id": ["x", "y", "z"], "label": ["a", "b", "a"], "role": ["test", "train", "test"]})
    assert slides_with_roles(rows, ["test"]) == ["x", "z"]
    assert slides_with_roles(rows, ["train", "select"]) == ["y"]
    assert role_counts(rows) == "test a: 2, train b: 1"
