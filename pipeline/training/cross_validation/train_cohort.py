"""Split, train and evaluate in one process: the rules' functions one after the other."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.json_files import PROVENANCE, write_provenance
from pipeline.artefacts.metrics import write_comparison
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_splits
from pipeline.errors import ConfigError
from pipeline.logs import get_logger
from pipeline.provenance import record
from pipeline.training.cohort.cohort_nodes import load_nodes
from pipeline.training.evaluate import comparison_table, confusion_text, evaluate_seed
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.split_cohort import split_cohort
from pipeline.training.train_fold import train_loaded_fold

log = get_logger("training")

PARTIAL = ".partial"
"""Folder in ``out_dir`` of what a killed command goes on with; removed at the end."""


def train_cohort(
    rows: Sequence[SlideRow],
    features: Mapping[str, Path],
    out_dir: str | Path,
    *,
    methods: Sequence[str],
    seed: int,
    only_fold: int | None,
    splits: SplitParams,
    training: TrainingParams,
    device: str,
    source: str,
    by_fold: Mapping[int, TrainingParams] | None = None,
) -> pd.DataFrame:
    """Train and evaluate ``methods`` on a cohort and return their comparison.

    With one method ``out_dir`` gets ``splits.csv``, ``excluded.csv``, ``fold_{k}/`` and
    ``metrics.json``; with several it gets one such folder a method, and ``comparison.csv``.

    Parameters
    ----------
    features
        Feature file by slide.
    only_fold
        Train and evaluate this fold alone; None all of them.
    by_fold
        Parameters of each fold in place of ``training``; None has none.

    Raises
    ------
    AbignetError
        See ``split_cohort``, ``train_fold`` and ``evaluate``.
    """
    for method in methods:
        method_spec(method, training)
    out = Path(out_dir)
    folders = {method: out if len(methods) == 1 else out / method for method in methods}
    for folder in folders.values():
        _share_splits(rows, features, folder, next(iter(folders.values())), splits, seed, source)
    splits_table = read_splits(next(iter(folders.values())) / "splits.csv")
    folds = chosen_folds(splits_table, only_fold)
    params = dict.fromkeys(folds, training) if by_fold is None else by_fold
    missing = sorted(set(folds) - params.keys())
    if missing:
        raise ConfigError(f"tuned settings: expected some for each of the folds {folds}, none found for {missing}.")
    embeddings = {settings.embeddings for settings in params.values()}
    if len(embeddings) > 1:
        raise ConfigError(f"tuned settings: expected the same embeddings in all folds, found {sorted(embeddings)}.")
    cohort = load_nodes(features, list(dict.fromkeys(splits_table["slide_id"])), embeddings.pop())
    runs = {}
    for method, folder in folders.items():
        for fold in folds:
            train_loaded_fold(
                folder / "splits.csv",
                cohort,
                folder / f"fold_{fold}",
                method=method,
                seed=seed,
                fold=fold,
                params=params[fold],
                device=device,
                source=source,
                partial_dir=out / PARTIAL,
            )
        runs[method] = {seed: evaluate_seed(folder, method=method, seed=seed, folds=folds, source=source)}
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    log.info("confusion matrices\n%s", confusion_text(runs))
    comparison = comparison_table(runs)
    if len(methods) > 1:
        write_comparison(out / "comparison.csv", comparison)
        write_provenance(out, record(params={"methods": list(methods), "seed": seed}, source=source))
    return comparison


def _share_splits(
    rows: Sequence[SlideRow],
    features: Mapping[str, Path],
    folder: Path,
    first: Path,
    params: SplitParams,
    seed: int,
    source: str,
) -> None:
    """Split into the ``first`` folder, and give every other one the same files."""
    if folder == first:
        names = (folder / "splits.csv", folder / "excluded.csv")
        split_cohort(rows, features, *names, params=params, seeds=[seed], source=source)
        return
    for name in ("splits.csv", "excluded.csv", PROVENANCE):
        with writing(folder / name) as temporary:
            shutil.copyfile(first / name, temporary)


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
