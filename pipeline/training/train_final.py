"""Rule ``train_final``: one method on all labelled slides, for prediction."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.artefacts.splits import read_splits
from pipeline.errors import CohortError
from pipeline.training.cohort.cohort_nodes import load_nodes
from pipeline.training.cohort.role_tables import final_table, slides_of_splits
from pipeline.training.fitting.training_job import TrainingInputs, TrainingJob, train_and_write
from pipeline.training.params import SplitParams


def train_final(
    splits_path: str | Path,
    features: Path | Mapping[str, Path],
    out_dir: str | Path,
    job: TrainingJob,
    split_params: SplitParams,
) -> None:
    """Train on every slide of the splits, with roles drawn over all of them.

    Writes ``model.pt``, ``history.csv`` and ``provenance.json`` to ``out_dir``.  How good
    the model is, the folds tell; nothing is left to test it on.

    Raises
    ------
    ArtefactError, CohortError, ConfigError, DeviceError
        See ``train_fold``.
    """
    job.task()
    slides = slides_of_splits(read_splits(splits_path))
    if not slides:
        raise CohortError(f"{splits_path}: no slide to train on.")
    rows = final_table(slides, split_params, job.split.seed)
    cohort = load_nodes(features, list(rows["slide_id"]), job.params.embeddings, job.params.reading)
    train_and_write(job, TrainingInputs(Path(splits_path), rows, cohort, split_params), Path(out_dir)).remove()
