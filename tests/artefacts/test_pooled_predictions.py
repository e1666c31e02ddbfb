from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import provenance
from pipeline.artefacts.csv_files import write_csv
from pipeline.artefacts.pooled_predictions import (
    POOLED_COLUMNS,
    pooled,
    read_pooled_predictions,
    write_pooled_predictions,
)
from pipeline.artefacts.predictions import prediction_frame
from pipeline.errors import ArtefactError


def frame(*slides: str) -> pd.DataFrame:
    scores = np.array([[0.75, 0.25]] * len(slides))
    return prediction_frame(slides, slides, ["a"] * len(slides), ("a", "b"), scores)


RUNS = {0: {0: frame("s1"), 1: frame("s2", "s3")}, 4: {0: frame("s1"), 1: frame("s3", "s2")}}


def test_every_image_stands_once_a_seed_with_its_fold(tmp_path: Path) -> None:
    write_pooled_predictions(tmp_path, pooled(RUNS), provenance.record(params={}, source="s"))
    read = read_pooled_predictions(tmp_path / "predictions.csv")
    assert list(zip(read["seed"], read["fold"], read["slide_id"], strict=True)) == [
        (0, 0, "s1"),
        (0, 1, "s2"),
        (0, 1, "s3"),
        (4, 0, "s1"),
        (4, 1, "s3"),
        (4, 1, "s2"),
    ]
    assert read.columns.tolist() == [*POOLED_COLUMNS, "p_a", "p_b"]
    assert read["p_a"].tolist() == [0.75] * 6


def test_an_edited_file_is_refused(tmp_path: Path) -> None:
    write_pooled_predictions(tmp_path, pooled(RUNS), provenance.record(params={}, source="s"))
    path = tmp_path / "predictions.csv"
    path.write_text(path.read_text().replace("0.75", "0.85"))
    with pytest.raises(ArtefactError, match="was edited"):
        read_pooled_predictions(path)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (pooled({0: {0: frame("s1"), 1: frame("s1")}}), "slide 's1' stands twice under seed 0"),
        (pooled(RUNS).drop(columns=["p_a", "p_b"]), "one column p_<class>"),
        (pooled(RUNS).assign(p_a="much"), "a probability is no number"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, table: pd.DataFrame, fault: str) -> None:
    write_csv(tmp_path / "predictions.csv", table, POOLED_COLUMNS)
    with pytest.raises(ArtefactError, match=fault):
        read_pooled_predictions(tmp_path / "predictions.csv")
