"""``{method}/predictions.csv``: test predictions of all folds and seeds of a method, one row an image and seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.csv_files import read_sealed_csv, write_csv
from pipeline.artefacts.json_files import write_provenance_of
from pipeline.artefacts.predictions import COLUMNS, PREDICTIONS, PROBABILITY_PREFIX
from pipeline.artefacts.remedies import damaged

KIND = "pooled predictions"

POOLED_COLUMNS: dict[str, str] = {
    "seed": "int64",
    "fold": "int64",  # the one that held the image out
    **COLUMNS,
    # then p_<class>, float64, one a class
}


def pooled(frames: Mapping[int, Mapping[int, pd.DataFrame]]) -> pd.DataFrame:
    """Test predictions by seed and fold as one table, in the order of seeds, folds and their rows."""
    parts = [frame.assign(seed=seed, fold=fold) for seed, folds in frames.items() for fold, frame in folds.items()]
    return pd.concat(parts, ignore_index=True)


def write_pooled_predictions(folder: str | Path, frame: pd.DataFrame, record: Mapping[str, Any]) -> None:
    """Write ``predictions.csv`` and its provenance into the folder of a method.

    Parameters
    ----------
    frame
        See ``pooled``.
    record
        Provenance.
    """
    path = Path(folder) / PREDICTIONS
    write_csv(path, frame, POOLED_COLUMNS)
    write_provenance_of(path, record)


def read_pooled_predictions(path: str | Path) -> pd.DataFrame:
    """Read them; probabilities are float64.

    Raises
    ------
    ArtefactError
        If the file cannot be read, or an image was tested twice under one seed.
    """
    frame = read_sealed_csv(path, KIND, POOLED_COLUMNS)
    probabilities = [name for name in frame.columns if str(name).startswith(PROBABILITY_PREFIX)]
    if not probabilities:
        raise damaged(KIND, path, f"expected one column {PROBABILITY_PREFIX}<class> a class, found none")
    try:
        frame = frame.astype(dict.fromkeys(probabilities, "float64"))
    except ValueError as error:
        raise damaged(KIND, path, f"a probability is no number ({error})") from error
    twice = frame.duplicated(["seed", "slide_id"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise damaged(KIND, path, f"slide {row['slide_id']!r} stands twice under seed {row['seed']}")
    return frame
