"""Test predictions of a method, fold by fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.json_files import PROVENANCE, read_json
from pipeline.artefacts.predictions import PROBABILITY_PREFIX, class_names, read_predictions
from pipeline.classification_counts import class_positions, confusion_counts
from pipeline.errors import CohortError

FoldFrames = Mapping[int, pd.DataFrame]
"""Predictions of one method and seed by fold."""

MethodFrames = Mapping[str, Mapping[int, FoldFrames]]
"""Predictions by method, seed and fold."""


@dataclass(frozen=True)
class MethodRun:
    """One method trained with one seed.

    Attributes
    ----------
    method, seed
        Which.
    folds
        Those that were planned.
    """

    method: str
    seed: int
    folds: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.method}, seed {self.seed}"


def read_folds(paths: Mapping[int, Path], run: MethodRun) -> tuple[dict[int, pd.DataFrame], dict[int, str]]:
    """Labelled test predictions by fold, and the reason of each fold that has none.

    Parameters
    ----------
    paths
        ``predictions.csv`` by fold, with its ``provenance.json`` beside it where it is empty.

    Raises
    ------
    ArtefactError
        If a file is missing or damaged.
    CohortError
        If a label is missing or unknown, or every fold is empty.
    """
    frames = {fold: _labelled(read_predictions(path), path) for fold, path in paths.items()}
    _check_folds(frames, paths)
    empty = {fold: _reason(paths[fold]) for fold, frame in frames.items() if frame.empty}
    if len(empty) == len(frames):
        raise CohortError(f"{run}: no fold has a test image: {'; '.join(sorted(set(empty.values())))}.")
    return {fold: frame for fold, frame in frames.items() if fold not in empty}, empty


def scored(frame: pd.DataFrame) -> tuple[Float64s, Int64s]:
    """Probabilities (n, n_classes) and label positions (n,) of predictions."""
    classes = class_names(frame)
    probabilities = frame[[f"{PROBABILITY_PREFIX}{name}" for name in classes]].to_numpy(np.float64)
    return probabilities, class_positions(list(frame["label"]), classes)


def confusion_of(frames: Sequence[pd.DataFrame]) -> tuple[list[str], Int64s]:
    """Classes of all ``frames``, and their images by true class (rows) and most probable one (columns)."""
    classes = list(class_names(pd.concat(frames)))
    total = np.zeros((len(classes), len(classes)), np.int64)
    for frame in frames:
        true, predicted = (class_positions(list(frame[column]), classes) for column in ("label", "predicted"))
        total += confusion_counts(true, predicted, len(classes))
    return classes, total


def _check_folds(frames: FoldFrames, paths: Mapping[int, Path]) -> None:
    """Raise ``CohortError`` where folds know other classes, or two of them tested the same image."""
    first, *others = frames
    for fold in others:
        known, expected = class_names(frames[fold]), class_names(frames[first])
        if known != expected:
            raise CohortError(
                f"{paths[fold]}: expected the classes of {paths[first]} ({', '.join(expected)}), found "
                f"{', '.join(known)}. Train both folds again."
            )
    tested: dict[str, int] = {}
    for fold, frame in frames.items():
        for slide_id in frame["slide_id"]:
            if slide_id in tested:
                raise CohortError(
                    f"{paths[fold]}: slide {slide_id!r} was tested in {paths[tested[slide_id]]} as well; the folds are "
                    "not those of one split. Train both again."
                )
            tested[slide_id] = fold


def _labelled(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    classes = class_names(frame)
    unknown = frame[~frame["label"].isin(classes)]
    if len(unknown):
        first = unknown.iloc[0]
        raise CohortError(
            f"{path}: slide {first.slide_id!r} has label {first.label!r}; expected one of {', '.join(classes)}."
        )
    return frame


def _reason(path: Path) -> str:
    """Why there is no prediction at ``path``."""
    provenance = path.with_name(PROVENANCE)
    recorded = read_json(provenance, "provenance").get("reason") if provenance.exists() else None
    return str(recorded or "no test image")
