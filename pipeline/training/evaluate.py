"""Rule ``evaluate``: predictions of all folds to metrics of each method and a comparison of methods."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.artefacts.metrics import COMPARISON_COLUMNS, METRICS, write_comparison, write_metrics
from pipeline.artefacts.predictions import PROBABILITY_PREFIX, class_names, read_predictions
from pipeline.errors import CohortError
from pipeline.logs import get_logger
from pipeline.provenance import digests, record
from pipeline.training.evaluation.classification_metrics import Metrics, compute_metrics, confusion
from pipeline.training.evaluation.comparison import corrected_resampled_p, holm, sign_flip_p, table_text

BOOTSTRAP_DRAWS = 1000
BOOTSTRAP_SEED = 0
"""One for all methods and seeds, so that they are measured on the same draws of patients."""

CONFIDENCE = 0.95

log = get_logger("training")

FoldFrames = dict[int, pd.DataFrame]
"""Predictions of one method and seed by fold."""


def evaluate(
    training_dir: str | Path, *, methods: Sequence[str], seeds: Sequence[int], folds: Sequence[int], source: str
) -> None:
    """Write ``{method}/seed_{s}/metrics.json`` and ``comparison.csv`` of one training run.

    Parameters
    ----------
    training_dir
        Holds ``{method}/seed_{s}/fold_{k}/predictions.csv``.
    methods
        The reference of the paired tests is ``default`` if it is among them, else the first.

    Raises
    ------
    ArtefactError, CohortError
        If predictions are missing, damaged, or lack labels.
    """
    root = Path(training_dir)
    runs: dict[str, dict[int, FoldFrames]] = {}
    for method in methods:
        runs[method] = {
            seed: evaluate_seed(root / method / f"seed_{seed}", method=method, seed=seed, folds=folds, source=source)
            for seed in seeds
        }
    table = comparison_table(runs)
    write_comparison(root / "comparison.csv", table)
    log.info("comparison of methods\n%s\n%s", table_text(table), confusion_text(runs))


def evaluate_seed(seed_dir: str | Path, *, method: str, seed: int, folds: Sequence[int], source: str) -> FoldFrames:
    """Write ``metrics.json`` of one method and seed beside its folds; return the predictions.

    Raises
    ------
    ArtefactError, CohortError
        See ``evaluate``.
    """
    root = Path(seed_dir)
    paths = {fold: root / f"fold_{fold}" / "predictions.csv" for fold in folds}
    frames = {fold: _labelled(read_predictions(path), path) for fold, path in paths.items()}
    provenance = record(
        params={"bootstrap_draws": BOOTSTRAP_DRAWS},
        source=source,
        upstream=digests({f"fold_{fold}": path for fold, path in paths.items()}),
    )
    write_metrics(root / "metrics.json", {**metrics_of(frames, method, seed), "provenance": provenance})
    return frames


def metrics_of(frames: FoldFrames, method: str, seed: int) -> dict[str, Any]:
    """Content of ``metrics.json``.

    ``mean`` and ``sd`` are over folds; ``ci95`` are percentiles of the mean over folds
    when patients are drawn with replacement.  ``unit`` tells whether those are patients
    or, where every image is its own, images.  ``confusion`` (true by predicted) is summed
    over folds.
    """
    scored = {fold: _arrays(frame) for fold, frame in frames.items()}
    per_fold = {fold: compute_metrics(*arrays) for fold, arrays in scored.items()}
    everything = pd.concat(frames.values())
    return {
        "method": method,
        "seed": seed,
        "folds": [{"fold": fold, **metrics.plain(), "n": len(frames[fold])} for fold, metrics in per_fold.items()],
        "mean": _by_metric(list(per_fold.values()), _mean),
        "sd": _by_metric(list(per_fold.values()), _sample_sd),
        "ci95": bootstrap_intervals(list(frames.values())),
        "classes": list(class_names(everything)),
        "confusion": sum(confusion(*arrays) for arrays in scored.values()).tolist(),  # type: ignore[union-attr]
        "unit": "image" if (everything["case_id"] == everything["slide_id"]).all() else "patient",
    }


def bootstrap_intervals(frames: Sequence[pd.DataFrame]) -> dict[str, list[float] | None]:
    """Percentile interval [low, high] of each metric's mean over ``frames`` (Efron 1979), by resampling patients.

    A draw takes as many patients as there are, with replacement, and a patient with all
    images in all frames: several seeds of one cohort are not several cohorts.  A draw in
    which a metric is undefined on every frame does not count; without any draw the
    interval is None.
    """
    cases = sorted({case_id for frame in frames for case_id in frame["case_id"]})
    scored = [(*_arrays(frame), np.searchsorted(cases, list(frame["case_id"]))) for frame in frames]
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    draws = []
    for _ in range(BOOTSTRAP_DRAWS):
        times = np.bincount(rng.integers(len(cases), size=len(cases)), minlength=len(cases))
        metrics = []
        for probabilities, labels, patients in scored:
            rows = np.repeat(np.arange(len(labels)), times[patients])
            metrics.append(compute_metrics(probabilities[rows], labels[rows]))
        draws.append(_by_metric(metrics, _mean))
    tail = (1 - CONFIDENCE) / 2
    intervals: dict[str, list[float] | None] = {}
    for name in METRICS:
        values = [draw[name] for draw in draws if draw[name] is not None]
        bounds = np.quantile(np.asarray(values, np.float64), [tail, 1 - tail]) if values else None
        intervals[name] = None if bounds is None else [float(bound) for bound in bounds]
    return intervals


def comparison_table(runs: Mapping[str, Mapping[int, FoldFrames]]) -> pd.DataFrame:
    """One row a method; see ``artefacts.metrics.COMPARISON_COLUMNS``.

    Two paired tests of accuracy against the reference: over patients, by the images that
    the method has right minus those that the reference has right, over all seeds; and
    over folds and seeds.
    """
    reference = "default" if "default" in runs else next(iter(runs))
    rows = []
    for method, seeds in runs.items():
        row = {"method": method, "reference": reference, **_summary(seeds)}
        row |= _paired(seeds, runs[reference]) if method != reference else {}
        rows.append(row)
    numbers = {name: dtype for name, dtype in COMPARISON_COLUMNS.items() if dtype == "float64"}
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS)).astype(numbers)
    others = table["method"] != reference
    for name, corrected in (("p_value", "p_holm"), ("p_folds", "p_folds_holm")):
        table.loc[others, corrected] = holm(table.loc[others, name].tolist())
    return table


def confusion_text(runs: Mapping[str, Mapping[int, FoldFrames]]) -> str:
    """Confusion matrix of each method as lines of text: true classes down, predicted across, over seeds and folds."""
    lines = []
    for method, seeds in runs.items():
        frames = [frame for folds in seeds.values() for frame in folds.values()]
        classes = list(class_names(pd.concat(frames)))
        matrix = sum(confusion(*_arrays(frame)) for frame in frames)
        lines += [f"{method}: true by predicted", pd.DataFrame(matrix, classes, classes).to_string()]
    return "\n".join(lines)


def _summary(seeds: Mapping[int, FoldFrames]) -> dict[str, Any]:
    """Mean, SD and interval of each metric over all seeds and folds of a method."""
    frames = [frame for folds in seeds.values() for frame in folds.values()]
    metrics = [compute_metrics(*_arrays(frame)) for frame in frames]
    mean, sd, intervals = _by_metric(metrics, _mean), _by_metric(metrics, _sample_sd), bootstrap_intervals(frames)
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


def _correct(seeds: Mapping[int, FoldFrames]) -> pd.DataFrame:
    tables = []
    for seed, folds in seeds.items():
        for fold, frame in folds.items():
            table = frame[["slide_id", "case_id"]].copy()
            tables.append(table.assign(seed=seed, fold=fold, correct=frame["predicted"] == frame["label"]))
    return pd.concat(tables, ignore_index=True)


def _labelled(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    classes = class_names(frame)
    unknown = frame[~frame["label"].isin(classes)]
    if len(unknown):
        first = unknown.iloc[0]
        raise CohortError(
            f"{path}: slide {first.slide_id!r} has label {first.label!r}; expected one of {', '.join(classes)}."
        )
    return frame


def _arrays(frame: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Probabilities (n, n_classes) and label positions (n,) of predictions."""
    classes = class_names(frame)
    probabilities = frame[[f"{PROBABILITY_PREFIX}{name}" for name in classes]].to_numpy(np.float64)
    return probabilities, np.array([classes.index(label) for label in frame["label"]], np.int64)


def _by_metric(
    metrics: Sequence[Metrics], summary: Callable[[npt.NDArray[np.float64]], float | None]
) -> dict[str, float | None]:
    """``summary`` of the defined values of each metric."""
    values = {name: np.array([getattr(m, name) for m in metrics], np.float64) for name in METRICS}
    return {name: summary(column[~np.isnan(column)]) for name, column in values.items()}


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _sample_sd(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
