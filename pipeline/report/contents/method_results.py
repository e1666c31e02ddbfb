"""What the methods achieved: metrics, test predictions and histories of a run."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.predictions import PROBABILITY_PREFIX, read_history, read_predictions
from pipeline.classification_counts import calibration_bins, class_positions, confusion_counts
from pipeline.errors import ArtefactError
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import LOWER_IS_BETTER


@dataclass(frozen=True)
class SeedMetrics:
    """``metrics.json`` of one method and seed.

    Attributes
    ----------
    folds
        One row per fold: ``fold``, the metrics and ``n``.
    mean, sd
        Over the folds, by metric; None when undefined.
    ci95
        Lower and upper bound by metric; None when undefined.
    folds_left_out
        Reason of each planned fold that has no test image.
    graph_path
        What was decided about the graph beside a pooled model, as ``metrics.json`` has it; None of other methods.
    """

    method: str
    seed: int
    folds: pd.DataFrame
    mean: Mapping[str, float | None]
    sd: Mapping[str, float | None]
    ci95: Mapping[str, tuple[float, float] | None]
    folds_left_out: Mapping[int, str]
    graph_path: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Spread:
    """Mean and sample SD (ddof=1) of fold values; ``sd`` is None for one value, ``mean`` for none."""

    mean: float | None
    sd: float | None
    n_values: int


@dataclass(frozen=True)
class Results:
    """All results of a run.

    Attributes
    ----------
    metrics
        By (method, seed), in the order of the sources.
    predictions
        Test predictions by method, all folds and seeds: columns of ``predictions.csv``
        with ``seed`` and ``fold``.
    histories
        By method: rows of ``history.csv`` with ``seed`` and ``fold``; empty when the
        method keeps none.
    comparison
        ``comparison.csv``.
    """

    metrics: Mapping[tuple[str, int], SeedMetrics]
    predictions: Mapping[str, pd.DataFrame]
    histories: Mapping[str, pd.DataFrame]
    comparison: pd.DataFrame

    @property
    def folds_left_out(self) -> dict[int, str]:
        """Reason of each planned fold that has no test image, by fold."""
        left_out = {fold: why for seed in self.metrics.values() for fold, why in seed.folds_left_out.items()}
        return dict(sorted(left_out.items()))

    def fold_values(self, method: str, metric: str) -> Float64s:
        """Values (n,) of a metric over folds and seeds of a method; undefined ones left out."""
        frames = [seed.folds for (name, _), seed in self.metrics.items() if name == method]
        columns = [frame[metric].to_numpy(np.float64) for frame in frames if metric in frame]
        values = np.concatenate(columns) if columns else np.zeros(0)
        return np.asarray(values[~np.isnan(values)], np.float64)

    def spread(self, method: str, metric: str) -> Spread:
        """Mean and SD of ``fold_values``."""
        values = self.fold_values(method, metric)
        mean = float(values.mean()) if len(values) else None
        return Spread(mean, float(values.std(ddof=1)) if len(values) > 1 else None, len(values))

    def ranked(self, methods: Sequence[str], metric: str) -> list[str]:
        """Methods from best to worst mean; ties and undefined means keep their order."""
        sign = 1.0 if metric in LOWER_IS_BETTER else -1.0
        means = {method: self.spread(method, metric).mean for method in methods}
        return sorted(methods, key=lambda method: math.inf if means[method] is None else sign * (means[method] or 0.0))


def read_results(sources: ReportSources) -> Results:
    """Read everything that ``train_fold`` and ``evaluate`` left.

    Raises
    ------
    ArtefactError
        If metrics, predictions, the history of a method, seed or fold or the comparison are missing or unreadable.
    """
    pairs = [(method, seed) for method in sources.methods for seed in sources.seeds]
    return Results(
        {pair: read_seed_metrics(sources.metrics(*pair), *pair) for pair in pairs},
        {method: _read_folds(sources, method, "predictions.csv", read_predictions) for method in sources.methods},
        {method: _read_folds(sources, method, "history.csv", read_history) for method in sources.methods},
        _comparison(sources),
    )


def _comparison(sources: ReportSources) -> pd.DataFrame:
    """``comparison.csv``; a row without numbers where one method was trained by itself, which leaves none."""
    if len(sources.methods) == 1 and not sources.comparison.exists():
        (method,) = sources.methods
        return pd.DataFrame({"method": [method], "reference": [method]})
    return read_comparison(sources.comparison)


def read_seed_metrics(path: Path, method: str, seed: int) -> SeedMetrics:
    """Read one ``metrics.json``.

    Raises
    ------
    ArtefactError
        If the file is missing or has another shape.
    """
    content = read_metrics(path)
    try:
        folds = pd.DataFrame(content["folds"])
        metrics = [name for name in folds.columns if name not in ("fold", "n")]
        folds[metrics] = folds[metrics].astype(np.float64)
        intervals = {metric: _interval(pair) for metric, pair in content["ci95"].items()}
        left_out = {int(fold["fold"]): str(fold["reason"]) for fold in content.get("folds_left_out", ())}
        means, sds = dict(content["mean"]), dict(content["sd"])
        return SeedMetrics(method, seed, folds, means, sds, intervals, left_out, content.get("graph_path"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"{path}: expected folds, mean and sd by metric and ci95 as [low, high]; {error}. Evaluate again."
        ) from error


def _interval(pair: Any) -> tuple[float, float] | None:
    if pair is None:
        return None
    low, high = pair
    return float(low), float(high)


def _read_folds(sources: ReportSources, method: str, name: str, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """Rows of one file of every seed and fold, with both beside them; an empty frame when there is no row."""
    parts = [
        read(sources.fold_folder(method, seed, fold) / name).assign(seed=seed, fold=fold)
        for seed in sources.seeds
        for fold in sources.folds
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def probability_columns(predictions: pd.DataFrame, classes: Sequence[str]) -> Float64s:
    """Probabilities (n, n_classes) in the order of ``classes``.

    Raises
    ------
    ArtefactError
        If a class has no column.
    """
    missing = [name for name in classes if PROBABILITY_PREFIX + name not in predictions.columns]
    if missing:
        raise ArtefactError(f"predictions: expected a column p_<class> for {', '.join(missing)}; found none.")
    return predictions[[PROBABILITY_PREFIX + name for name in classes]].to_numpy(np.float64)


def confusion(predictions: pd.DataFrame, classes: Sequence[str]) -> Int64s:
    """Counts (n_classes, n_classes): true class down, predicted class across."""
    true, predicted = (class_positions(list(predictions[name]), classes) for name in ("label", "predicted"))
    return confusion_counts(true, predicted, len(classes))


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in equal-width bins of the largest probability.

    Attributes
    ----------
    confidence, accuracy
        Means of the bins that hold an image.
    count
        Images in each of these bins.
    """

    confidence: Float64s
    accuracy: Float64s
    count: Int64s


def reliability(probabilities: Float64s, correct: Bools, n_bins: int = 10) -> Reliability:
    """Reliability of predictions (Guo et al. 2017): ``n_bins`` equal bins over (0, 1].

    Parameters
    ----------
    probabilities
        (n, n_classes).
    correct
        (n,) whether the predicted class is the label.
    """
    bins = calibration_bins(probabilities, correct, n_bins)
    filled = bins.count > 0
    count = bins.count[filled]
    return Reliability(bins.confidence[filled] / count, bins.correct[filled] / count, count)


def sd_uncertainty(n_values: int) -> tuple[float, float]:
    """95% bounds of the true SD, as multiples of a sample SD of ``n_values`` independent normal values.

    ``sqrt((n - 1) / chi2)`` at the 97.5 and 2.5 % points with n - 1 degrees of freedom.
    """
    degrees = n_values - 1
    return tuple(float(math.sqrt(degrees / chi2.ppf(q, degrees))) for q in (0.975, 0.025))  # type: ignore[return-value]
