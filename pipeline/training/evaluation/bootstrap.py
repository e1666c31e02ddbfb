"""Intervals of metrics by resampling patients."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.metric_names import METRICS
from pipeline.training.evaluation.classification_metrics import compute_metrics
from pipeline.training.evaluation.fold_predictions import scored
from pipeline.training.evaluation.resampled_metrics import resampled_metrics

BOOTSTRAP_DRAWS = 1000
BOOTSTRAP_SEED = 0
"""One for all methods and seeds, so that they are measured on the same draws of patients."""

CONFIDENCE = 0.95
"""Of an interval, over draws of patients."""

DRAWS_AT_ONCE = 100
"""Bounds memory: draws whose metrics are computed together."""

Interval = list[float] | None
"""[low, high]; None where undefined."""


def bootstrap_intervals(frames: Sequence[pd.DataFrame]) -> dict[str, Interval]:
    """Percentile interval of each metric's mean over ``frames`` (Efron 1979), by resampling patients.

    A draw takes as many patients as there are, with replacement, and a patient with all
    images in all frames: several seeds of one cohort are not several cohorts.  A draw in
    which a metric is undefined on every frame does not count; without any draw the
    interval is None.

    Parameters
    ----------
    frames
        Predictions of each run; columns of ``artefacts.predictions``.
    """
    means: dict[str, list[Float64s]] = {name: [] for name in METRICS}
    for runs in _resampled(frames):
        for name in METRICS:
            means[name].append(_defined_mean(np.stack([run[name] for run in runs])))
    return {name: _interval(np.concatenate(values)) for name, values in means.items()}


def paired_differences(
    frames: Sequence[pd.DataFrame], reference: Sequence[pd.DataFrame]
) -> dict[str, tuple[float, Interval]]:
    """By metric: mean over runs minus that of the reference, and its interval over patients drawn alike for both.

    Parameters
    ----------
    frames, reference
        Predictions of the same images, run by run; a run in which a metric is undefined does not count for it.
    """
    own, other = ([compute_metrics(*scored(frame)) for frame in runs] for runs in (frames, reference))
    drawn: dict[str, list[Float64s]] = {name: [] for name in METRICS}
    for runs in _resampled([*frames, *reference]):
        for name in METRICS:
            values = np.stack([run[name] for run in runs])
            drawn[name].append(_defined_mean(values[: len(frames)] - values[len(frames) :]))
    differences = {}
    for name in METRICS:
        by_run = [getattr(one, name) - getattr(two, name) for one, two in zip(own, other, strict=True)]
        mean = _defined_mean(np.array(by_run, np.float64)[:, None])
        differences[name] = float(mean[0]), _interval(np.concatenate(drawn[name]))
    return differences


def _resampled(frames: Sequence[pd.DataFrame]) -> Iterator[list[dict[str, Float64s]]]:
    """Metrics of each run by name, float64 (some draws,), for some draws of patients after others."""
    cases = sorted({case_id for frame in frames for case_id in frame["case_id"]})
    places = [np.searchsorted(cases, list(frame["case_id"])) for frame in frames]
    for times in _draws(len(cases)):
        yield [
            resampled_metrics(*scored(frame), times[:, place].astype(np.float64))
            for frame, place in zip(frames, places, strict=True)
        ]


def _draws(n_patients: int) -> Iterator[Int64s]:
    """How often each draw holds each patient, int64 (some draws, n_patients)."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    for start in range(0, BOOTSTRAP_DRAWS, DRAWS_AT_ONCE):
        n_draws = min(DRAWS_AT_ONCE, BOOTSTRAP_DRAWS - start)
        drawn = [rng.integers(n_patients, size=n_patients) for _ in range(n_draws)]
        yield np.stack([np.bincount(patients, minlength=n_patients) for patients in drawn])


def _defined_mean(values: Float64s) -> Float64s:
    """Mean of each column over its defined values; NaN where none is."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Float64s = np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0)
    return mean


def _interval(values: Float64s) -> Interval:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    tail = (1 - CONFIDENCE) / 2
    return [float(bound) for bound in np.quantile(defined, [tail, 1 - tail])]
