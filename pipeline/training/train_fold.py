"""Rule ``train_fold``: one method, seed and fold to a model, its predictions and its graphs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artefacts.graph_path import GRAPH_PATH, write_graph_path
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.learned_graphs import write_learned_graphs
from pipeline.artefacts.predictions import (
    HISTORY,
    HISTORY_COLUMNS,
    PREDICTIONS,
    prediction_frame,
    write_history,
    write_predictions,
)
from pipeline.artefacts.splits import ROLES, fold_rows, read_splits
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes
from pipeline.training.cohort.roles import slides_with_roles
from pipeline.training.fitting.checkpoint import write_no_model
from pipeline.training.fitting.fitting import class_names_of
from pipeline.training.fitting.fitting_task import fitted_by
from pipeline.training.fitting.training_job import TrainingInputs, TrainingJob, train_and_write
from pipeline.training.fitting.unfinished import UnfinishedFit

log = get_logger("training")

NO_TEST_IMAGE = "every labelled slide of this fold was left out for having no patch (excluded.csv)"
"""Why a fold that was planned is not trained."""


def train_fold(
    splits_path: str | Path, features: Path | Mapping[str, Path], out_dir: str | Path, job: TrainingJob
) -> None:
    """Train on one fold and predict its test images.

    Writes ``model.pt``, ``history.csv``, ``predictions.csv``, ``graphs.zarr``,
    ``graph_path.json`` and ``provenance.json`` to ``out_dir``.  Of a fold without any test image they are empty,
    with the reason.

    Parameters
    ----------
    features
        Folder of ``{slide_id}.zarr``, or the file of each slide.

    Raises
    ------
    ArtefactError, CohortError, ConfigError, DeviceError
        If inputs are damaged, do not fit each other, or ask for what is not there.
    """
    rows = rows_of_fold(splits_path, job)
    slide_ids = slides_with_roles(rows, ROLES) if has_test_image(rows) else []
    cohort = load_nodes(features, slide_ids, job.params.embeddings, job.params.reading)
    train_loaded_fold(splits_path, cohort, out_dir, job).remove()


def train_loaded_fold(
    splits_path: str | Path, cohort: CohortNodes, out_dir: str | Path, job: TrainingJob
) -> UnfinishedFit:
    """``train_fold`` on a cohort that is loaded already.

    Results that the same job wrote before stay, if its state still has their mark.

    Returns
    -------
    The state of the job, with that mark.
    """
    rows = rows_of_fold(splits_path, job)
    if has_test_image(rows):
        return train_and_write(job, TrainingInputs(Path(splits_path), rows, cohort), Path(out_dir))
    job.task()
    write_untested_fold(Path(out_dir), rows, job, splits_path)
    return UnfinishedFit(None, {})


def rows_of_fold(splits_path: str | Path, job: TrainingJob) -> pd.DataFrame:
    """Slides of a job's fold with their roles.

    Raises
    ------
    ArtefactError, CohortError
        If the splits cannot be read or have no such fold.
    """
    assert job.split.fold is not None, "the job of a fold names it"
    return fold_rows(read_splits(splits_path), job.split.seed, job.split.fold, splits_path)


def has_test_image(rows: pd.DataFrame) -> bool:
    """Whether a fold has anything to be tested on."""
    return bool((rows["role"] == "test").any())


def write_untested_fold(out: Path, rows: pd.DataFrame, job: TrainingJob, splits_path: str | Path) -> None:
    """Write the files of a fold without test image: nothing trained, nothing predicted, and why."""
    log.warning("%s is not trained: %s", job, NO_TEST_IMAGE)
    task, classes = job.task(), class_names_of(rows)
    stages = {"seed": job.split.seed, "fold": job.split.fold, **fitted_by(task.spec, task.fitting)}
    provenance = record(params=stages, source=job.source, upstream={"splits": file_digest(splits_path)})
    provenance["reason"] = NO_TEST_IMAGE
    write_no_model(out / "model.pt", reason=NO_TEST_IMAGE, source=job.source)
    write_history(out / HISTORY, pd.DataFrame(columns=list(HISTORY_COLUMNS)))
    nothing = prediction_frame([], [], [], classes, np.zeros((0, len(classes))))
    write_predictions(out / PREDICTIONS, nothing)
    write_learned_graphs(out / "graphs.zarr", (), provenance)
    write_graph_path(out / GRAPH_PATH, {})
    write_provenance(out, provenance, [HISTORY, PREDICTIONS])
