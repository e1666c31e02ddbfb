import pandas as pd

from pipeline.training.cohort.roles import Split, role_counts, slides_with_roles
from pipeline.training.cohort.seeds import Seeds

ROWS = pd.DataFrame(
    [("c", "train", "x"), ("a", "test", "y"), ("b", "train", "x"), ("d", "select", "y")],
    columns=["slide_id", "role", "label"],
)


def test_folders_and_titles_of_trainings() -> None:
    assert (Split(1, 3).name, Split(1, 3).title) == ("fold_3", "fold 3")
    assert (Split(1, None).name, Split(1, None).title) == ("final", "final")


def test_each_fold_has_seeds_of_its_own() -> None:
    assert Split(1, 3).seeds == Seeds(1, "fold 3")
    assert len({Split(1, 3).seeds, Split(1, 4).seeds, Split(2, 3).seeds, Split(1, None).seeds}) == 4


def test_counts_and_slides_by_role() -> None:
    assert role_counts(ROWS) == "select y: 1, test y: 1, train x: 2"
    assert slides_with_roles(ROWS, ("train", "select")) == ["c", "b", "d"]
    assert slides_with_roles(ROWS, ()) == []
