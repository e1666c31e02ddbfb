"""Split, train and evaluate in one process: the rules' functions one after the other."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.json_files import PROVENANCE, write_provenance
from pipeline.artefacts.metrics import write_comparison
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_splits
from pipeline.errors import ConfigError, NotApplicableError, OnMismatch
from pipeline.logs import get_logger
from pipeline.provenance import record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes
from pipeline.training.cohort.roles import Split
from pipeline.training.evaluate import COMPARISON, evaluate_seed, pool_predictions
from pipeline.training.evaluation.comparison_text import confusion_text
from pipeline.training.evaluation.fold_predictions import MethodRun
from pipeline.training.evaluation.method_comparison import comparison_table
from pipeline.training.fitting.applicability import check_applicable
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.methods.packages import require_package
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.split_cohort import EXCLUDED, SPLITS, SplitJob, split_cohort
from pipeline.training.train_fold import train_loaded_fold

log = get_logger("training")

PARTIAL = ".partial"
"""Folder in ``out_dir`` of what a killed command goes on with; removed at the end."""


@dataclass(frozen=True)
class CrossValidation:
    """Methods trained and tested on the folds of one seed.

    Attributes
    ----------
    methods
        Names of presets.
    seed
        Of folds, roles and weights.
    splits
        Number of folds and shares of roles.
    training
        What is changed of the presets, and how they are fitted.
    device
        ``auto``, ``cpu`` or ``cuda``.
    source
        Source digest.
    only_fold
        Train and evaluate this fold alone; None all of them.
    by_fold
        Parameters of each fold in the place of ``training``; None has none.
    on_mismatch
        What is done about slides whose features were made differently.
    """

    methods: tuple[str, ...]
    seed: int
    splits: SplitParams
    training: TrainingParams
    device: str
    source: str
    only_fold: int | None = None
    by_fold: Mapping[int, TrainingParams] | None = None
    on_mismatch: OnMismatch = "stop"

    def params_of(self, folds: Sequence[int]) -> Mapping[int, TrainingParams]:
        """Parameters by fold.

        Raises
        ------
        ConfigError
            If a fold has none, or folds differ in their embeddings.
        """
        if self.by_fold is None:
            return dict.fromkeys(folds, self.training)
        missing = sorted(set(folds) - self.by_fold.keys())
        if missing:
            raise ConfigError(
                f"tuned settings: expected some for each of the folds {list(folds)}, none found for {missing}."
            )
        embeddings = {params.embeddings for params in self.by_fold.values()}
        if len(embeddings) > 1:
            raise ConfigError(f"tuned settings: expected the same embeddings in all folds, found {sorted(embeddings)}.")
        return self.by_fold


def train_cohort(
    rows: Sequence[SlideRow], features: Mapping[str, Path], out_dir: str | Path, run: CrossValidation
) -> pd.DataFrame:
    """Train and evaluate methods on a cohort and return their comparison.

    With one method ``out_dir`` gets ``splits.csv``, ``excluded.csv``, ``fold_{k}/``,
    ``predictions.csv`` and ``metrics.json``; with several it gets one such folder a method, and ``comparison.csv``.
    One of several that cannot be used on these slides is left out, and told in the comparison.

    Parameters
    ----------
    features
        Feature file by slide.

    Raises
    ------
    NotApplicableError
        If no method can be used on these slides.
    AbignetError
        See ``split_cohort``, ``train_fold`` and ``evaluate``.
    """
    for method in run.methods:
        require_package(method_spec(method, run.training))
    out = Path(out_dir)
    folders = {method: out if len(run.methods) == 1 else out / method for method in run.methods}
    splits_path = _share_splits(rows, features, list(folders.values()), run)
    splits = read_splits(splits_path)
    folds = chosen_folds(splits, run.only_fold)
    params = run.params_of(folds)
    slide_ids = list(dict.fromkeys(splits["slide_id"]))
    cohort = load_nodes(features, slide_ids, params[folds[0]].embeddings, run.training.reading)
    not_applicable = _not_applicable(cohort, run, params)
    runs = {}
    for method, folder in folders.items():
        if method in not_applicable:
            continue
        for fold in folds:
            split = Split(run.seed, fold)
            job = TrainingJob(method, split, params[fold], run.device, run.source, out / PARTIAL, run.on_mismatch)
            train_loaded_fold(folder / SPLITS, cohort, folder / split.name, job)
        runs[method] = {run.seed: evaluate_seed(folder, MethodRun(method, run.seed, tuple(folds)), run.source)}
        pool_predictions(folder, runs[method], {run.seed: folder}, run.source)
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    log.info("confusion matrices\n%s", confusion_text(runs))
    comparison = comparison_table(runs, not_applicable)
    if len(run.methods) > 1:
        write_comparison(out / COMPARISON, comparison)
        provenance = record(params={"methods": list(run.methods), "seed": run.seed}, source=run.source)
        write_provenance(out, provenance, [COMPARISON])
    return comparison


def _not_applicable(cohort: CohortNodes, run: CrossValidation, params: Mapping[int, TrainingParams]) -> dict[str, str]:
    """Why methods cannot be used on the slides of a cohort, by method, where others can."""
    reasons: dict[str, str] = {}
    for method in run.methods:
        try:
            for of_fold in params.values():
                check_applicable(cohort, cohort.slides, method_spec(method, of_fold))
        except NotApplicableError as error:
            if len(reasons) == len(run.methods) - 1:
                raise
            log.warning("%s is left out: %s", method, error)
            reasons[method] = str(error)
    return reasons


def _share_splits(
    rows: Sequence[SlideRow], features: Mapping[str, Path], folders: Sequence[Path], run: CrossValidation
) -> Path:
    """Split into the first of ``folders``, give every other one the same files, and return the first one's splits."""
    first, *others = folders
    split_cohort(rows, features, first, SplitJob(run.splits, (run.seed,), run.source, run.on_mismatch))
    for folder in others:
        for name in (SPLITS, EXCLUDED, PROVENANCE):
            with writing(folder / name) as temporary:
                shutil.copyfile(first / name, temporary)
    return first / SPLITS


def chosen_folds(splits: pd.DataFrame, only_fold: int | None) -> list[int]:
    """All folds of ``splits``, or the one asked for.

    Raises
    ------
    ConfigError
        If there is no such fold.
    """
    folds = sorted({int(fold) for fold in splits["fold"]})
    if only_fold is None:
        return folds
    if only_fold not in folds:
        raise ConfigError(f"only-fold: expected one of {', '.join(map(str, folds))}; found {only_fold}.")
    return [only_fold]
