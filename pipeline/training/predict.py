"""Rule ``predict``: a trained model on images it has not seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.artefacts.json_files import write_provenance_of
from pipeline.artefacts.learned_graphs import write_learned_graphs
from pipeline.artefacts.predictions import prediction_frame, write_predictions
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import EXCLUDED_COLUMNS, write_excluded
from pipeline.devices import choose_device
from pipeline.errors import OnMismatch
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.cohort.feature_names import check_feature_names
from pipeline.training.cohort.made_alike import check_made_as, noted_mismatches
from pipeline.training.fitting.applicability import check_applicable
from pipeline.training.fitting.checkpoint import TrainedModel, read_model
from pipeline.training.fitting.fitting_task import fitted_by
from pipeline.training.fitting.inference import each_learned_graph, predict_probabilities
from pipeline.training.params import DEFAULT_READING, ReadingParams

log = get_logger("training")

STOCHASTIC_SEED = 0
"""Seed of a model that keeps its noise at evaluation."""


def predict(
    model_path: str | Path,
    features: Path | Mapping[str, Path],
    out_path: str | Path,
    *,
    rows: Sequence[SlideRow],
    device: str,
    source: str,
    on_mismatch: OnMismatch = "stop",
    reading: ReadingParams = DEFAULT_READING,
) -> None:
    """Predict ``rows``, in their order.

    Labels are carried as they are given; they may be classes that the model does not know.
    Beside ``{stem}.csv`` stand ``{stem}.excluded.csv`` (slides without a patch, with the
    reason), ``{stem}.graphs.zarr`` (the patch graph of each slide) and ``{stem}.provenance.json``.

    Parameters
    ----------
    features
        Feature file by slide, or the folder of ``{slide_id}.zarr``.
    on_mismatch
        What is done about slides whose features were made otherwise than those that the model was trained on.
    reading
        How much of the features is in memory.

    Raises
    ------
    ArtefactError
        If the model or a cache cannot be read, or a cache is of another slide.
    CohortError
        If the caches do not hold the features the model was trained on, made as those were, or one has more
        patches than its method takes.
    """
    place = choose_device(device)
    model = read_model(model_path, place)
    cohort = load_nodes(features, [row.slide_id for row in rows], model.fitting.embeddings, reading)
    mismatches = check_made_as(cohort.makings, model.making, model_path, on_mismatch)
    check_cohort(cohort, model, model_path)
    check_applicable(cohort, cohort.slides, model.spec)
    full = [row for row in rows if cohort.n_patches(row.slide_id)]
    out = Path(out_path)
    upstream = {"model": file_digest(model_path), "features": cohort.digest}
    provenance = record(params=fitted_by(model.spec, model.fitting), source=source, upstream=upstream)
    provenance |= noted_mismatches(mismatches)
    with deterministic_torch(STOCHASTIC_SEED, model.spec.settings.threads, place, tf32=model.fitting.tf32):
        images = model.images([cohort.slides[row.slide_id] for row in full], place, reading.card_share)
        n_classes = len(model.class_names)
        probabilities = predict_probabilities(model.network, images, n_classes=n_classes, temperature=model.temperature)
        graphs = ((full[place].slide_id, graph) for place, graph in each_learned_graph(model.network, images))
        write_learned_graphs(out.with_suffix(".graphs.zarr"), graphs, provenance)
    frame = prediction_frame(
        [row.slide_id for row in full],
        [row.case_id for row in full],
        [row.label for row in full],
        model.class_names,
        probabilities,
    )
    write_predictions(out, frame)
    excluded = out.with_suffix(".excluded.csv")
    _write_excluded(excluded, rows, cohort)
    write_provenance_of(out, provenance, [excluded.name])


def check_cohort(cohort: CohortNodes, model: TrainedModel, model_path: str | Path) -> None:
    """Check that a cohort holds the features of a model.

    Raises
    ------
    CohortError
        If the names differ; slides without a patch do not count.
    """
    with_nodes = [slide_id for slide_id, nodes in cohort.slides.items() if len(nodes.coords)]
    if with_nodes:
        check_feature_names(cohort.feature_names, model.feature_names, f"slide {with_nodes[0]}", f"model {model_path}")


def _write_excluded(path: Path, rows: Sequence[SlideRow], cohort: CohortNodes) -> None:
    empty = [
        (row.slide_id, row.case_id, row.label or "", cohort.slides[row.slide_id].reason)
        for row in rows
        if not cohort.n_patches(row.slide_id)
    ]
    for slide_id, _, _, reason in empty:
        log.warning("slide %s is not predicted: it has no patch (%s)", slide_id, reason)
    write_excluded(path, pd.DataFrame(empty, columns=list(EXCLUDED_COLUMNS)))
