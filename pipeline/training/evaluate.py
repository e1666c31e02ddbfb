"""Rule ``evaluate``: predictions of all folds to metrics of each method and a comparison of methods."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.artefacts.metrics import COMPARISON_COLUMNS, METRICS, write_comparison, write_metrics
from pipeline.artefacts.predictions import PROBABILITY_PREFIX, class_names, read_predictions
from pipeline.errors import CohortError
from pipeline.provenance import digests, record
from pipeline.training.comparison import holm, sign_flip_p
from pipeline.training.determinism import derived_seed
from pipeline.training.metrics import Metrics, compute_metrics, confusion

BOOTSTRAP_DRAWS = 1000
CONFIDENCE = 0.95

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
    write_comparison(root / "comparison.csv", comparison_table(runs))


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
    when patients are drawn with replacement within each fold.  ``unit`` tells whether
    those are patients or, where every image is its own, images.  ``confusion`` (true by
    predicted) is summed over folds.
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
        "ci95": bootstrap_intervals(frames, seed),
        "classes": list(class_names(everything)),
        "confusion": sum(confusion(*arrays) for arrays in scored.values()).tolist(),  # type: ignore[union-attr]
        "unit": "image" if (everything["case_id"] == everything["slide_id"]).all() else "patient",
    }


def bootstrap_intervals(frames: FoldFrames, seed: int) -> dict[str, list[float] | None]:
    """Percentile interval [low, high] of each metric's mean over folds (Efron 1979), by resampling patients.

    A draw in which a metric is undefined on every fold does not count; without any draw
    the interval is None.
    """
    rng = np.random.default_rng(derived_seed(seed, "bootstrap"))
    scored = {fold: (*_arrays(frame), _rows_by_patient(frame)) for fold, frame in frames.items()}
    draws = []
    for _ in range(BOOTSTRAP_DRAWS):
        metrics = []
        for probabilities, labels, patients in scored.values():
            rows = np.concatenate([patients[p] for p in rng.integers(len(patients), size=len(patients))])
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

    The paired test takes, for each patient, the images that the method has right minus
    those that the reference has right, over all seeds.
    """
    reference = "default" if "default" in runs else next(iter(runs))
    rows = []
    for method, seeds in runs.items():
        frames = [frame for folds in seeds.values() for frame in folds.values()]
        metrics = [compute_metrics(*_arrays(frame)) for frame in frames]
        mean, sd = _by_metric(metrics, _mean), _by_metric(metrics, _sample_sd)
        row: dict[str, Any] = {"method": method, "n_runs": len(frames), "reference": reference}
        row["n_images"] = pd.concat(frames)["slide_id"].nunique()
        for name in METRICS:
            row |= {f"{name}_mean": mean[name], f"{name}_sd": sd[name]}
        row |= _paired(seeds, runs[reference]) if method != reference else {}
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    others = table["method"] != reference
    table.loc[others, "p_holm"] = holm(table.loc[others, "p_value"].tolist())
    return table


def _paired(method: Mapping[int, FoldFrames], reference: Mapping[int, FoldFrames]) -> dict[str, float]:
    """Accuracy difference and p-value over the images that both predicted."""
    keys = ["seed", "fold", "slide_id", "case_id"]
    both = _correct(method).merge(_correct(reference), on=keys, suffixes=("", "_reference"))
    if both.empty:
        raise CohortError("two methods share no test image; evaluate methods on the same splits.")
    difference = both["correct"].astype(int) - both["correct_reference"].astype(int)
    by_patient = difference.groupby(both["case_id"]).sum()
    return {"accuracy_difference": float(difference.mean()), "p_value": sign_flip_p([int(d) for d in by_patient])}


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


def _rows_by_patient(frame: pd.DataFrame) -> list[npt.NDArray[np.int64]]:
    groups = frame.reset_index(drop=True).groupby("case_id", sort=True).indices
    return [np.asarray(rows, np.int64) for rows in groups.values()]


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
