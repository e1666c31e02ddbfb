"""Methods side by side: their metrics over seeds and folds, and tests against a reference."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s
from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import COMPARISON_COLUMNS, DIFFERENCE_COLUMNS, NOT_APPLICABLE, TRAINED
from pipeline.errors import CohortError
from pipeline.training.evaluation.bootstrap import bootstrap_intervals, paired_differences
from pipeline.training.evaluation.classification_metrics import Metrics, compute_metrics
from pipeline.training.evaluation.fold_predictions import FoldFrames, MethodFrames, scored
from pipeline.training.evaluation.paired_tests import corrected_resampled_p, holm, sign_flip_p

NONE_LEFT_OUT: Mapping[str, str] = {}


def comparison_table(
    methods: MethodFrames, not_applicable: Mapping[str, str] = NONE_LEFT_OUT, reference: str | None = None
) -> pd.DataFrame:
    """One row a method; see ``artefacts.metrics.COMPARISON_COLUMNS``, then ``status`` and ``DIFFERENCE_COLUMNS``.

    Two paired tests of accuracy against the reference: over patients, by the images that the
    method has right minus those that the reference has right, over all seeds; and over folds
    and seeds.

    Parameters
    ----------
    methods
        Predictions of those that were trained.
    not_applicable
        Why others were not, by method.
    reference
        One of ``methods``; None is ``default`` if it is there, else the first.

    Raises
    ------
    CohortError
        If a method shares no test image with the reference.
    """
    reference = reference or ("default" if "default" in methods else next(iter(methods)))
    rows = []
    for method, seeds in methods.items():
        row = {"method": method, "reference": reference, "status": TRAINED, **_summary(seeds)}
        if method != reference:
            row |= _paired(seeds, methods[reference]) | _differences(seeds, methods[reference])
        rows.append(row)
    for method, reason in not_applicable.items():
        status = NOT_APPLICABLE + reason
        rows.append({"method": method, "reference": reference, "status": status, "n_runs": 0, "n_images": 0})
    named = {**COMPARISON_COLUMNS, "status": "str", **DIFFERENCE_COLUMNS}
    numbers = {name: dtype for name, dtype in named.items() if dtype == "float64"}
    table = pd.DataFrame(rows, columns=list(named)).astype(numbers)
    others = (table["method"] != reference) & (table["status"] == TRAINED)
    for name, corrected in (("p_value", "p_holm"), ("p_folds", "p_folds_holm")):
        table.loc[others, corrected] = holm(table.loc[others, name].tolist())
    return table


def means(metrics: Sequence[Metrics]) -> dict[str, float | None]:
    """Mean of each metric's defined values; None without any."""
    return _by_metric(metrics, lambda values: float(values.mean()) if len(values) else None)


def sample_sds(metrics: Sequence[Metrics]) -> dict[str, float | None]:
    """Standard deviation (ddof=1) of each metric's defined values; None below two."""
    return _by_metric(metrics, lambda values: float(values.std(ddof=1)) if len(values) > 1 else None)


def _by_metric(metrics: Sequence[Metrics], summary: Callable[[Float64s], float | None]) -> dict[str, float | None]:
    values = {name: np.array([getattr(m, name) for m in metrics], np.float64) for name in METRICS}
    return {name: summary(column[~np.isnan(column)]) for name, column in values.items()}


def _summary(seeds: Mapping[int, FoldFrames]) -> dict[str, Any]:
    """Mean, SD and interval of each metric over all seeds and folds of a method."""
    frames = [frame for folds in seeds.values() for frame in folds.values()]
    metrics = [compute_metrics(*scored(frame)) for frame in frames]
    mean, sd, intervals = means(metrics), sample_sds(metrics), bootstrap_intervals(frames)
    row: dict[str, Any] = {"n_runs": len(frames), "n_images": pd.concat(frames)["slide_id"].nunique()}
    for name in METRICS:
        low, high = intervals[name] or (None, None)
        row |= {f"{name}_mean": mean[name], f"{name}_sd": sd[name], f"{name}_ci_low": low, f"{name}_ci_high": high}
    return row


def _paired(method: Mapping[int, FoldFrames], reference: Mapping[int, FoldFrames]) -> dict[str, float]:
    """Accuracy difference and p-values over the images that both predicted."""
    keys = ["seed", "fold", "slide_id", "case_id"]
    both = _correct(method).merge(_correct(reference), on=keys, suffixes=("", "_reference"))
    if both.empty:
        raise CohortError("two methods share no test image; evaluate methods on the same splits.")
    difference = both["correct"].astype(int) - both["correct_reference"].astype(int)
    by_patient = difference.groupby(both["case_id"]).sum()
    by_fold = difference.groupby([both["seed"], both["fold"]]).mean()
    n_folds = both.groupby("seed")["fold"].nunique().mean()
    return {
        "accuracy_difference": float(difference.mean()),
        "p_value": sign_flip_p([int(d) for d in by_patient]),
        "p_folds": corrected_resampled_p(by_fold.tolist(), 1 / (n_folds - 1)) if n_folds > 1 else math.nan,
    }


def _differences(method: Mapping[int, FoldFrames], reference: Mapping[int, FoldFrames]) -> dict[str, float]:
    """``DIFFERENCE_COLUMNS`` over the runs and images that both have."""
    own, other = [], []
    for seed, fold in ((seed, fold) for seed, folds in method.items() for fold in folds):
        against = reference.get(seed, {}).get(fold)
        if against is None:
            continue
        shared = sorted({*method[seed][fold]["slide_id"]} & {*against["slide_id"]})
        own.append(method[seed][fold].set_index("slide_id", drop=False).loc[shared])
        other.append(against.set_index("slide_id", drop=False).loc[shared])
    row: dict[str, float] = {}
    for metric, (difference, interval) in paired_differences(own, other).items():
        low, high = interval or (math.nan, math.nan)
        name = f"{metric}_minus_reference"
        row |= {name: difference, f"{name}_ci_low": low, f"{name}_ci_high": high}
    return row


def _correct(seeds: Mapping[int, FoldFrames]) -> pd.DataFrame:
    """Which images were predicted right, one row an image, seed and fold."""
    tables = []
    for seed, folds in seeds.items():
        for fold, frame in folds.items():
            table = frame[["slide_id", "case_id"]].copy()
            tables.append(table.assign(seed=seed, fold=fold, correct=frame["predicted"] == frame["label"]))
    return pd.concat(tables, ignore_index=True)
