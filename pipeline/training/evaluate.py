"""Rule ``evaluate``: predictions of all folds to one table and metrics of each method, and a comparison of methods."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.json_files import write_provenance_of
from pipeline.artefacts.metrics import write_comparison, write_metrics
from pipeline.artefacts.pooled_predictions import pooled, write_pooled_predictions
from pipeline.artefacts.predictions import PREDICTIONS
from pipeline.logs import get_logger
from pipeline.provenance import digests, record
from pipeline.training.evaluation.bootstrap import BOOTSTRAP_DRAWS, bootstrap_intervals
from pipeline.training.evaluation.classification_metrics import compute_metrics
from pipeline.training.evaluation.comparison_text import confusion_text, table_text
from pipeline.training.evaluation.fold_predictions import (
    FoldFrames,
    MethodRun,
    confusion_of,
    read_folds,
    scored,
)
from pipeline.training.evaluation.graph_path_metrics import graph_path_metrics
from pipeline.training.evaluation.method_comparison import comparison_table, means, sample_sds

COMPARISON = "comparison.csv"

log = get_logger("training")


def evaluate(
    training_dir: str | Path, *, methods: Sequence[str], seeds: Sequence[int], folds: Sequence[int], source: str
) -> None:
    """Write metrics, pooled predictions and the comparison of the methods of one training run.

    These are ``{method}/seed_{s}/metrics.json``, ``{method}/predictions.csv`` and ``comparison.csv``, the tables with
    their provenances.

    Parameters
    ----------
    training_dir
        Holds ``{method}/seed_{s}/fold_{k}/predictions.csv``.
    methods
        The reference of the paired tests is ``default`` if it is among them, else the first.
    folds
        Those that were planned; one without a test image is left out, and told.

    Raises
    ------
    ArtefactError, CohortError
        If predictions are missing, damaged, or lack labels.
    """
    root = Path(training_dir)
    frames: dict[str, dict[int, FoldFrames]] = {}
    for method in methods:
        frames[method] = {
            seed: evaluate_seed(root / method / f"seed_{seed}", MethodRun(method, seed, tuple(folds)), source)
            for seed in seeds
        }
        folders = {seed: root / method / f"seed_{seed}" for seed in seeds}
        pool_predictions(root / method, frames[method], folders, source)
    table = comparison_table(frames)
    write_comparison(root / COMPARISON, table)
    params = {"methods": list(methods), "seeds": list(seeds), "folds": list(folds)}
    write_provenance_of(root / COMPARISON, record(params=params, source=source))
    log.info("comparison of methods\n%s\n%s", table_text(table), confusion_text(frames))


def pool_predictions(
    method_dir: str | Path, frames: Mapping[int, FoldFrames], seed_dirs: Mapping[int, Path], source: str
) -> None:
    """Write ``predictions.csv`` of a method: test predictions of all seeds and folds in one table.

    Parameters
    ----------
    frames
        Predictions by seed and fold.
    seed_dirs
        Folder of each seed, with ``fold_{k}/predictions.csv``; below ``method_dir`` or the same.
    """
    files = {
        (seed_dirs[seed] / f"fold_{fold}").relative_to(method_dir).as_posix(): seed_dirs[seed] / f"fold_{fold}"
        for seed, folds in frames.items()
        for fold in folds
    }
    upstream = digests({role: folder / PREDICTIONS for role, folder in files.items()})
    write_pooled_predictions(method_dir, pooled(frames), record(params={}, source=source, upstream=upstream))


def evaluate_seed(seed_dir: str | Path, run: MethodRun, source: str) -> FoldFrames:
    """Write ``metrics.json`` of one method and seed beside its folds; return the predictions.

    Raises
    ------
    ArtefactError, CohortError
        See ``evaluate``.
    """
    root = Path(seed_dir)
    folders = {fold: root / f"fold_{fold}" for fold in run.folds}
    paths = {fold: folder / PREDICTIONS for fold, folder in folders.items()}
    frames, left_out = read_folds(paths, run)
    for fold, reason in left_out.items():
        log.warning("%s: fold %d is left out of the evaluation: %s", run, fold, reason)
    provenance = record(
        params={"bootstrap_draws": BOOTSTRAP_DRAWS},
        source=source,
        upstream=digests({f"fold_{fold}": path for fold, path in paths.items()}),
    )
    graph_path = {"graph_path": graph_path_metrics(folders, frames)}
    told = {"folds_left_out": [{"fold": fold, "reason": reason} for fold, reason in left_out.items()]}
    write_metrics(root / "metrics.json", {**metrics_of(frames, run), **graph_path, **told, "provenance": provenance})
    return frames


def metrics_of(frames: FoldFrames, run: MethodRun) -> dict[str, Any]:
    """Content of ``metrics.json``.

    ``mean`` and ``sd`` are over folds; ``ci95`` are percentiles of the mean over folds
    when patients are drawn with replacement.  ``unit`` tells whether those are patients
    or, where every image is its own, images.  ``confusion`` (true by predicted) is summed
    over folds.
    """
    per_fold = {fold: compute_metrics(*scored(frame)) for fold, frame in frames.items()}
    everything = pd.concat(frames.values())
    classes, confusion = confusion_of(list(frames.values()))
    return {
        "method": run.method,
        "seed": run.seed,
        "folds": [{"fold": fold, **metrics.plain(), "n": len(frames[fold])} for fold, metrics in per_fold.items()],
        "mean": means(list(per_fold.values())),
        "sd": sample_sds(list(per_fold.values())),
        "ci95": bootstrap_intervals(list(frames.values())),
        "classes": classes,
        "confusion": confusion.tolist(),
        "unit": "image" if (everything["case_id"] == everything["slide_id"]).all() else "patient",
    }
