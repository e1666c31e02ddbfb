"""Rule ``train_final``: one method on all labelled slides, for prediction."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.predictions import write_history
from pipeline.artefacts.splits import read_splits
from pipeline.devices import choose_device
from pipeline.errors import CohortError
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import load_nodes
from pipeline.training.fitting.checkpoint import write_model
from pipeline.training.fitting.fitting import FITTING_ROLES, fit_model, ordered_ids, provenance_params
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.split_cohort import final_table, labelled_slides
from pipeline.training.train_fold import role_counts

log = get_logger("training")


def train_final(
    splits_path: str | Path,
    features: Path | Mapping[str, Path],
    out_dir: str | Path,
    *,
    method: str,
    seed: int,
    params: TrainingParams,
    split_params: SplitParams,
    device: str,
    source: str,
    partial_dir: str | Path | None = None,
) -> None:
    """Train on every slide of the splits, with roles drawn over all of them.

    Writes ``model.pt``, ``history.csv`` and ``provenance.json`` to ``out_dir``.  How good
    the model is, the folds tell; nothing is left to test it on.

    Parameters
    ----------
    partial_dir
        Folder for the state from which a killed job goes on; None keeps none.

    Raises
    ------
    ArtefactError, CohortError, ConfigError, DeviceError
        See ``train_fold``.
    """
    spec = method_spec(method, params)
    place = choose_device(device)
    splits = read_splits(splits_path)
    slides = labelled_slides(splits)
    if not slides:
        raise CohortError(f"{splits_path}: no slide to train on.")
    rows = final_table(slides, split_params, seed)
    cohort = load_nodes(features, ordered_ids(rows, FITTING_ROLES), params.embeddings)
    log.info("%s, seed %d, final: %s", method, seed, role_counts(rows))
    stages = {**provenance_params(spec, params.fitting, seed=seed), "splits": asdict(split_params)}
    upstream = {"splits": file_digest(splits_path), "features": cohort.digest()}
    provenance = record(params=stages, source=source, upstream=upstream)
    partial = None if partial_dir is None else Path(partial_dir) / method
    unfinished = UnfinishedFit(partial, {**provenance, "device": str(place)})
    model, history = fit_model(
        cohort,
        rows,
        spec,
        seed=seed,
        purpose="final",
        device=place,
        fitting=params.fitting,
        unfinished=unfinished,
    )
    out = Path(out_dir)
    write_model(out / "model.pt", model, source=source)
    write_history(out / "history.csv", history)
    write_provenance(out, provenance)
    unfinished.remove()
