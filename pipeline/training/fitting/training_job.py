"""One training job: from nodes and roles to the files of a fold or of the final model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.feature_making import Making, known_making
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.predictions import HISTORY, PREDICTIONS, write_history
from pipeline.devices import choose_device
from pipeline.errors import OnMismatch
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes
from pipeline.training.cohort.made_alike import check_made_alike, noted_mismatches
from pipeline.training.cohort.roles import Split, role_counts
from pipeline.training.fitting.applicability import check_applicable
from pipeline.training.fitting.checkpoint import write_model
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.fitting_task import FittingTask, fitted_by
from pipeline.training.fitting.tested_images import write_tested_images
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import SplitParams, TrainingParams

log = get_logger("training")


@dataclass(frozen=True)
class TrainingJob:
    """One method on one split.

    Attributes
    ----------
    method
        Name of a preset.
    split
        Seed and fold; without a fold the final model.
    params
        What is changed of the preset, and how it is fitted.
    device
        ``auto``, ``cpu`` or ``cuda``.
    source
        Source digest of the stage.
    partial_dir
        Folder for the state from which killed jobs go on; None keeps none.
    on_mismatch
        What is done about slides whose features were made differently.
    """

    method: str
    split: Split
    params: TrainingParams
    device: str
    source: str
    partial_dir: Path | None = None
    on_mismatch: OnMismatch = "stop"

    def __str__(self) -> str:
        return f"{self.method}, seed {self.split.seed}, {self.split.title}"

    def task(self) -> FittingTask:
        """What is to be fitted.

        Raises
        ------
        ConfigError, DeviceError
            If there is no such method or device.
        """
        spec = method_spec(self.method, self.params)
        return FittingTask(spec, self.split.seeds, choose_device(self.device), self.params.fitting)

    @property
    def state_folder(self) -> Path | None:
        """Where the state of this job alone lies."""
        if self.partial_dir is None:
            return None
        return Path(self.partial_dir) / self.method / f"seed_{self.split.seed}" / self.split.name


@dataclass(frozen=True)
class TrainingInputs:
    """What a training job reads.

    Attributes
    ----------
    splits_path
        ``splits.csv``.
    rows
        Slides with their roles, columns of ``artefacts.splits``.
    cohort
        Nodes of these slides, and perhaps of others.
    drawn_by
        How the roles were drawn, where they are not those of ``splits.csv``.
    """

    splits_path: Path
    rows: pd.DataFrame
    cohort: CohortNodes
    drawn_by: SplitParams | None = None

    def digests(self) -> dict[str, str]:
        """Digest of each input, by role."""
        return {"splits": file_digest(self.splits_path), "features": self.cohort.digest}

    def trained_on(self) -> list[Making]:
        """How the features of each image that is not held out for testing were made."""
        slide_ids = self.rows.loc[self.rows["role"] != "test", "slide_id"]
        return [self.cohort.makings[slide_id] for slide_id in slide_ids if slide_id in self.cohort.makings]


def train_and_write(job: TrainingJob, inputs: TrainingInputs, out: Path) -> UnfinishedFit:
    """Train, predict the test images where there are any, and write everything to ``out``.

    Results that the same job wrote before stay, if its state still has their mark.

    Returns
    -------
    The state of the job, with that mark.

    Raises
    ------
    CohortError, ConfigError, DeviceError
        If inputs do not fit each other, or ask for what is not there.
    """
    task = job.task()
    mismatches = check_made_alike(inputs.cohort.makings, job.on_mismatch)
    check_applicable(inputs.cohort, inputs.rows["slide_id"], task.spec)
    log.info("%s: %s", job, role_counts(inputs.rows))
    provenance = record(params=_stages(job, task, inputs), source=job.source, upstream=inputs.digests())
    provenance |= noted_mismatches(mismatches)
    unfinished = UnfinishedFit(job.state_folder, {**provenance, "device": str(task.device)})
    if unfinished.is_finished(out):
        log.info("%s: done before, kept", job)
        return unfinished
    model, history = fit_model(inputs.cohort, inputs.rows, task, unfinished)
    model = replace(model, making=known_making(inputs.trained_on()))
    write_model(out / "model.pt", model, source=job.source)
    write_history(out / HISTORY, history)
    test = inputs.rows[inputs.rows["role"] == "test"]
    if len(test):
        write_tested_images(out, model, inputs.cohort, test, task, provenance)
    write_provenance(out, provenance, [HISTORY, PREDICTIONS] if len(test) else [HISTORY])
    unfinished.finish(out)
    return unfinished


def _stages(job: TrainingJob, task: FittingTask, inputs: TrainingInputs) -> Mapping[str, Any]:
    drawing = {} if inputs.drawn_by is None else {"splits": asdict(inputs.drawn_by)}
    return {**asdict(job.split), **fitted_by(task.spec, task.fitting), **drawing}
