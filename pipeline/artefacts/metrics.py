"""``metrics.json`` of one method and seed, and ``comparison.csv`` over methods."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.columns import typed_column
from pipeline.artefacts.csv_files import read_sealed_csv, write_csv
from pipeline.artefacts.json_files import read_json, write_json
from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.remedies import damaged
from pipeline.errors import ArtefactError

KEYS = ("method", "seed", "folds", "mean", "sd", "ci95")
"""What every ``metrics.json`` holds: ``folds`` a list of {fold, <metric>..., n}; ``mean``,
``sd`` (ddof=1) a number and ``ci95`` [low, high] by metric, null where undefined."""

COMPARISON_COLUMNS: dict[str, str] = {
    "method": "str",
    "n_runs": "int64",  # seeds x folds
    "n_images": "int64",  # distinct test images
    # Over runs, sd with ddof=1; ci_low and ci_high bound the mean, bootstrap over patients, 95 %.
    **{f"{metric}_{part}": "float64" for metric in METRICS for part in ("mean", "sd", "ci_low", "ci_high")},
    "reference": "str",  # the method compared with
    "accuracy_difference": "float64",  # method minus reference over the same images
    "p_value": "float64",  # exact sign-flip test over patients, two-sided
    "p_holm": "float64",  # Holm-corrected over the other methods
    "p_folds": "float64",  # corrected resampled t-test over runs, two-sided; empty where runs do not vary
    "p_folds_holm": "float64",  # likewise corrected
}
"""Then ``status``, which tables of earlier versions lack: TRAINED, or NOT_APPLICABLE and why, with empty numbers; and
``DIFFERENCE_COLUMNS``."""

DIFFERENCE_COLUMNS: dict[str, str] = {
    # Mean over runs of the method minus that of the reference; ci_low and ci_high by bootstrap over patients, 95 %.
    f"{metric}_minus_reference{part}": "float64"
    for metric in METRICS
    for part in ("", "_ci_low", "_ci_high")
}
"""Last columns of a comparison; tables of earlier versions lack them."""

TRAINED, NOT_APPLICABLE = "trained", "not applicable: "


def write_metrics(path: str | Path, metrics: Mapping[str, Any]) -> None:
    """Write the metrics of one method and seed."""
    write_json(path, _checked(metrics, path))


def read_metrics(path: str | Path) -> dict[str, Any]:
    """Read the metrics of one method and seed.

    Raises
    ------
    ArtefactError
        If the file cannot be read or lacks a key.
    """
    metrics = read_json(path, "metrics")
    _checked(metrics, path)
    return metrics


def write_comparison(path: str | Path, frame: pd.DataFrame) -> None:
    """Write the comparison of methods, one row a method."""
    write_csv(path, frame, COMPARISON_COLUMNS)


def read_comparison(path: str | Path) -> pd.DataFrame:
    """Read the comparison of methods; ``DIFFERENCE_COLUMNS`` are NaN in those of earlier versions.

    Raises
    ------
    ArtefactError
        If the file cannot be read.
    """
    frame = read_sealed_csv(path, "comparison of methods", COMPARISON_COLUMNS)
    missing = dict.fromkeys(DIFFERENCE_COLUMNS.keys() - set(frame.columns), math.nan)
    try:
        given = {name: typed_column(frame[name], dtype) for name, dtype in DIFFERENCE_COLUMNS.items() if name in frame}
    except ValueError as error:
        raise damaged("comparison of methods", path, f"a difference is no number ({error})") from error
    return frame.assign(**missing, **given)


def _checked(metrics: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    missing = [key for key in KEYS if key not in metrics]
    if missing:
        raise ArtefactError(f"{path}: expected metrics with {', '.join(KEYS)}; missing {', '.join(missing)}.")
    return metrics
