"""``predictions.csv`` and ``history.csv``: what a model said, and how it was trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Float64s
from pipeline.artefacts.columns import typed_column
from pipeline.artefacts.csv_files import read_sealed_csv, write_csv
from pipeline.artefacts.remedies import damaged
from pipeline.errors import ArtefactError

KIND = "predictions"

PREDICTIONS, HISTORY = "predictions.csv", "history.csv"
"""Names of the files of a training job."""

PROBABILITY_PREFIX = "p_"

SUM_TOLERANCE = 1e-4
"""Guard: how far the probabilities of an image may be from summing to 1."""

COLUMNS: dict[str, str] = {
    "slide_id": "str",
    "case_id": "str",
    "label": "str",  # empty when unknown
    "predicted": "str",
    # then p_<class>, float64, one a class
}

HISTORY_COLUMNS: dict[str, str] = {
    "epoch": "int64",  # counted from 0
    "lower_loss": "float64",  # classifier's steps, mean over the epoch
    "lower_accuracy": "float64",
    "upper_loss": "float64",  # generator's steps; empty for one-level methods
    "upper_accuracy": "float64",
    "select_loss": "float64",  # after the epoch; empty without select images
    "select_accuracy": "float64",
    "tau": "float64",  # temperature of the relaxation; empty without one
    "mean_degree": "float64",  # effective neighbours of a patch; empty without a graph
    "selected": "bool",  # the epoch whose weights were kept
    "model": "int64",  # which of several graph models, 0 where there is one
    "stage": "str",  # search or refit of a graph model beside a pooled one, else fit
}


def prediction_frame(
    slide_ids: Sequence[str],
    case_ids: Sequence[str],
    labels: Sequence[str | None],
    class_names: Sequence[str],
    probabilities: Float64s,
) -> pd.DataFrame:
    """Table of predictions; the predicted class is the most probable, the first of equals.

    Parameters
    ----------
    probabilities
        float64 (n_slides, n_classes).
    """
    most = probabilities.argmax(axis=1) if len(probabilities) else np.zeros(0, np.int64)
    frame = pd.DataFrame(
        {
            "slide_id": list(slide_ids),
            "case_id": list(case_ids),
            "label": [label or "" for label in labels],
            "predicted": [class_names[index] for index in most],
        },
        dtype=object,
    )
    for column, name in enumerate(class_names):
        frame[f"{PROBABILITY_PREFIX}{name}"] = probabilities[:, column]
    return frame


def write_predictions(path: str | Path, frame: pd.DataFrame) -> None:
    """Write predictions; see ``prediction_frame``."""
    write_csv(path, frame, COLUMNS)


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read predictions and check that they do not contradict themselves.

    Raises
    ------
    ArtefactError
        If the file cannot be read or holds no class; or a slide stands twice, its probabilities are none, or it is
        predicted as another class than the most probable one.
    """
    frame = read_sealed_csv(path, KIND, COLUMNS)
    probabilities = [f"{PROBABILITY_PREFIX}{name}" for name in class_names(frame)]
    if not probabilities:
        raise ArtefactError(f"{path}: expected one column {PROBABILITY_PREFIX}<class> a class, found none.")
    try:
        for column in probabilities:
            frame[column] = typed_column(frame[column], "float64")
    except ValueError as error:
        raise ArtefactError(f"{path}: column {column}: expected probabilities ({error}).") from error
    _check(frame, probabilities, path)
    return frame


def _check(frame: pd.DataFrame, probabilities: list[str], path: str | Path) -> None:
    """Raise ``ArtefactError``, naming the first slide, where rows contradict each other or themselves."""
    values = frame[probabilities].to_numpy(np.float64)
    named = frame["predicted"].map({name: place for place, name in enumerate(class_names(frame))})
    place = named.fillna(-1).to_numpy(np.int64)
    of_named = np.where(place < 0, -1.0, np.take_along_axis(values, place[:, None].clip(0), axis=1)[:, 0])
    faults = {
        "slide {} stands twice": frame["slide_id"].duplicated().to_numpy(),
        "the probabilities of slide {} are not between 0 and 1": ~((values >= 0) & (values <= 1)).all(axis=1),
        "the probabilities of slide {} do not sum to 1": ~(np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE),
        "slide {} is predicted as another class than the most probable one": of_named < values.max(axis=1, initial=0),
    }
    for fault, rows in faults.items():
        if rows.any():
            raise damaged(KIND, path, fault.format(repr(frame["slide_id"][rows].iloc[0])))


def class_names(frame: pd.DataFrame) -> tuple[str, ...]:
    """Classes of a table of predictions, in its order."""
    names = [str(column) for column in frame.columns if str(column).startswith(PROBABILITY_PREFIX)]
    return tuple(name.removeprefix(PROBABILITY_PREFIX) for name in names)


def write_history(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a training history; see ``HISTORY_COLUMNS``."""
    write_csv(path, frame, HISTORY_COLUMNS)


def read_history(path: str | Path) -> pd.DataFrame:
    """Read a training history.

    Raises
    ------
    ArtefactError
        If the file cannot be read.
    """
    return read_sealed_csv(path, "training history", HISTORY_COLUMNS)
