"""Rule ``train_fold``: one method, seed and fold to a model, its predictions and its graphs."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.learned_graphs import write_learned_graphs
from pipeline.artefacts.predictions import prediction_frame, write_history, write_predictions
from pipeline.artefacts.splits import ROLES, fold_rows, read_splits
from pipeline.devices import choose_device
from pipeline.errors import CohortError
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, check_sizes, load_nodes, nonempty
from pipeline.training.cohort.determinism import derived_seed, deterministic_torch
from pipeline.training.fitting.checkpoint import TrainedModel, write_model
from pipeline.training.fitting.fitting import fit_model, ordered_ids, provenance_params
from pipeline.training.fitting.inference import learned_graphs, predict_probabilities
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import TrainingParams

log = get_logger("training")


def train_fold(
    splits_path: str | Path,
    features: Path | Mapping[str, Path],
    out_dir: str | Path,
    *,
    method: str,
    seed: int,
    fold: int,
    params: TrainingParams,
    device: str,
    source: str,
    partial_dir: str | Path | None = None,
) -> None:
    """Train on one fold and predict its test images.

    Writes ``model.pt``, ``history.csv``, ``predictions.csv``, ``graphs.zarr`` and
    ``provenance.json`` to ``out_dir``.

    Parameters
    ----------
    features
        Folder of ``{slide_id}.zarr``, or the file of each slide.
    device
        ``auto``, ``cpu`` or ``cuda``.
    partial_dir
        Folder for the state from which a killed job goes on; None keeps none.

    Raises
    ------
    ArtefactError, CohortError, ConfigError, DeviceError
        If inputs are damaged, do not fit each other, or ask for what is not there.
    """
    rows = fold_rows(read_splits(splits_path), seed, fold, splits_path)
    cohort = load_nodes(features, ordered_ids(rows, ROLES), params.embeddings)
    train_loaded_fold(
        splits_path,
        cohort,
        out_dir,
        method=method,
        seed=seed,
        fold=fold,
        params=params,
        device=device,
        source=source,
        partial_dir=partial_dir,
    ).remove()


def train_loaded_fold(
    splits_path: str | Path,
    cohort: CohortNodes,
    out_dir: str | Path,
    *,
    method: str,
    seed: int,
    fold: int,
    params: TrainingParams,
    device: str,
    source: str,
    partial_dir: str | Path | None = None,
) -> UnfinishedFit:
    """``train_fold`` on a cohort that is in memory already.

    Results that the same call wrote before stay, if ``partial_dir`` still has its mark.

    Returns
    -------
    The state in ``partial_dir``, with that mark.
    """
    spec = method_spec(method, params)
    place = choose_device(device)
    rows = fold_rows(read_splits(splits_path), seed, fold, splits_path)
    check_sizes(cohort, rows["slide_id"], spec)
    log.info("%s, seed %d, fold %d: %s", method, seed, fold, role_counts(rows))
    upstream = {"splits": file_digest(splits_path), "features": cohort.digest()}
    stages = provenance_params(spec, params.fitting, seed=seed, fold=fold)
    provenance = record(params=stages, source=source, upstream=upstream)
    partial = None if partial_dir is None else Path(partial_dir) / method / f"seed_{seed}" / f"fold_{fold}"
    unfinished = UnfinishedFit(partial, {**provenance, "device": str(place)})
    out = Path(out_dir)
    if unfinished.is_finished(out):
        log.info("%s, seed %d, fold %d: done before, kept", method, seed, fold)
        return unfinished
    model, history = fit_model(
        cohort,
        rows,
        spec,
        seed=seed,
        purpose=f"fold {fold}",
        device=place,
        fitting=params.fitting,
        unfinished=unfinished,
    )
    write_model(out / "model.pt", model, source=source)
    write_history(out / "history.csv", history)
    _write_test(out, model, cohort, rows[rows["role"] == "test"], seed, provenance, place)
    write_provenance(out, provenance)
    unfinished.finish(out)
    return unfinished


def role_counts(rows: pd.DataFrame) -> str:
    """Images by role and class, in words."""
    counts = rows.groupby(["role", "label"], as_index=False).size()
    return ", ".join(f"{row.role} {row.label}: {row.size}" for row in counts.itertuples())


def _write_test(
    out: Path,
    model: TrainedModel,
    cohort: CohortNodes,
    test: pd.DataFrame,
    seed: int,
    provenance: Mapping[str, object],
    device: torch.device,
) -> None:
    """Predictions and graphs of the test images."""
    unknown = sorted(set(test["label"]) - set(model.class_names))
    if unknown:
        raise CohortError(
            f"class {unknown[0]!r} is only in the test fold; the model knows {', '.join(model.class_names)}."
        )
    slide_ids = [str(slide_id) for slide_id in test["slide_id"]]
    nonempty(cohort, slide_ids)
    with deterministic_torch(derived_seed(seed, "test"), model.spec.settings.threads, device):
        images = model.images([cohort.slides[slide_id] for slide_id in slide_ids], device)
        n_classes = len(model.class_names)
        probabilities = predict_probabilities(model.network, images, n_classes=n_classes, temperature=model.temperature)
        graphs = learned_graphs(model.network, images)
    frame = prediction_frame(slide_ids, list(test["case_id"]), list(test["label"]), model.class_names, probabilities)
    write_predictions(out / "predictions.csv", frame)
    write_learned_graphs(out / "graphs.zarr", dict(zip(slide_ids, graphs, strict=True)), provenance)
