import pandas as pd
import pytest

from pipeline.artefacts.splits import COLUMNS, fold_rows, read_splits, write_splits
from pipeline.errors import ArtefactError, CohortError

ROWS = [
    ("001", "p1", "0", 0, 0, "train"),
    ("002", "p1", "1", 0, 0, "train"),
    ("003", "p2", "1", 0, 0, "test"),
    ("001", "p1", "0", 0, 1, "test"),
    ("002", "p1", "1", 0, 1, "test"),
    ("003", "p2", "1", 0, 1, "train"),
]


def frame(rows):
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_splits_come_back_as_written(tmp_path):
    write_splits(tmp_path / "splits.csv", frame(ROWS))
    found = read_splits(tmp_path / "splits.csv")
    assert [tuple(row) for row in found.itertuples(index=False)] == ROWS
    assert fold_rows(found, 0, 1, "splits.csv")["slide_id"].tolist() == ["001", "002", "003"]


def test_a_patient_in_two_roles_of_one_fold_is_a_leak(tmp_path):
    leak = frame([*ROWS, ("004", "p1", "0", 0, 0, "test"), ("004", "p1", "0", 0, 1, "test")])
    with pytest.raises(CohortError, match=r"patient 'p1' is in train and test \(seed 0, fold 0\)"):
        write_splits(tmp_path / "splits.csv", leak)
    assert not (tmp_path / "splits.csv").exists()
    leak.to_csv(tmp_path / "splits.csv", index=False)
    with pytest.raises(CohortError, match="leak"):
        read_splits(tmp_path / "splits.csv")


def test_a_slide_stands_once_in_a_fold(tmp_path):
    with pytest.raises(CohortError, match="'001' stands twice in fold 0"):
        write_splits(tmp_path / "splits.csv", frame([*ROWS, ROWS[0]]))


def test_unknown_roles_are_refused(tmp_path):
    frame([("001", "p1", "0", 0, 0, "validation")]).to_csv(tmp_path / "splits.csv", index=False)
    with pytest.raises(ArtefactError, match="found validation"):
        read_splits(tmp_path / "splits.csv")


@pytest.mark.parametrize("n_rows", [4, 5])
def test_a_table_that_ends_early_is_told_by_its_first_missing_slide(tmp_path, n_rows):
    frame(ROWS[:n_rows]).to_csv(tmp_path / "splits.csv", index=False)
    with pytest.raises(CohortError, match=rf"slide '00{n_rows - 2}' has no role in fold 1 of seed 0"):
        read_splits(tmp_path / "splits.csv")


@pytest.mark.parametrize("column", [1, 2])
def test_a_slide_of_two_patients_or_classes_is_told(tmp_path, column):
    rows = [list(row) for row in ROWS]
    rows[5][column] = "p3"
    frame(rows).to_csv(tmp_path / "splits.csv", index=False)
    with pytest.raises(CohortError, match="slide '003' is of two patients or classes"):
        read_splits(tmp_path / "splits.csv")
