from pathlib import Path

import pandas as pd
import pytest

from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import (
    COMPARISON_COLUMNS,
    DIFFERENCE_COLUMNS,
    KEYS,
    read_comparison,
    read_metrics,
    write_comparison,
    write_metrics,
)
from pipeline.errors import ArtefactError

WHOLE = {
    "method": "joint",
    "seed": 3,
    "folds": [{"fold": 0, "accuracy": 0.5, "n": 4}],
    "mean": {"accuracy": 0.5},
    "sd": {"accuracy": None},
    "ci95": {"accuracy": None},
}


def test_metrics_come_back_as_they_were(tmp_path: Path) -> None:
    write_metrics(tmp_path / "metrics.json", {**WHOLE, "folds_left_out": [1]})
    assert read_metrics(tmp_path / "metrics.json") == {**WHOLE, "folds_left_out": [1]}


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_refused_before_anything_is_written(tmp_path: Path, key: str) -> None:
    with pytest.raises(ArtefactError, match=f"missing {key}"):
        write_metrics(tmp_path / "metrics.json", {name: value for name, value in WHOLE.items() if name != key})
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"method": "joint", "seed": 3}')
    with pytest.raises(ArtefactError, match="missing folds, mean, sd, ci95"):
        read_metrics(tmp_path / "metrics.json")


def test_a_comparison_has_every_metric_and_empty_p_values(tmp_path: Path) -> None:
    numbers = {name: [0.5] for name, dtype in COMPARISON_COLUMNS.items() if dtype == "float64"}
    frame = pd.DataFrame({"method": ["joint"], "n_runs": [5], "n_images": [9], "reference": ["joint"], **numbers})
    frame["p_folds"] = float("nan")
    write_comparison(tmp_path / "c.csv", frame)
    read = read_comparison(tmp_path / "c.csv")
    assert set(read.columns) == {*COMPARISON_COLUMNS, *DIFFERENCE_COLUMNS}
    assert read[list(DIFFERENCE_COLUMNS)].isna().all(axis=None)
    assert {f"{metric}_mean" for metric in METRICS} < set(read.columns)
    assert read["p_folds"].isna().all()
    assert read["n_images"].tolist() == [9]


def test_differences_are_numbers_or_refused(tmp_path: Path) -> None:
    numbers = {name: [0.5] for name, dtype in COMPARISON_COLUMNS.items() if dtype == "float64"}
    frame = pd.DataFrame({"method": ["joint"], "n_runs": [5], "n_images": [9], "reference": ["joint"], **numbers})
    write_comparison(tmp_path / "c.csv", frame.assign(auroc_minus_reference=0.25))
    assert read_comparison(tmp_path / "c.csv")["auroc_minus_reference"].tolist() == [0.25]
    write_comparison(tmp_path / "c.csv", frame.assign(auroc_minus_reference="more"))
    with pytest.raises(ArtefactError, match="a difference is no number"):
        read_comparison(tmp_path / "c.csv")


def test_a_comparison_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("method\njoint\n")
    with pytest.raises(ArtefactError, match="n_runs"):
        read_comparison(tmp_path / "c.csv")
