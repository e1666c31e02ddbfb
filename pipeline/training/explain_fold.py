"""Rule ``explain_fold``: the model of a fold to what speaks for which class in its test images."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from pipeline.artefacts.evidence import EVIDENCE, Evidence, EvidenceHeader, write_evidence
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.devices import choose_device
from pipeline.logs import get_logger, progress
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes, nonempty
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting.checkpoint import NoModelError, TrainedModel, read_model
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.image_evidence import image_evidence
from pipeline.training.params import DEFAULT_READING, ReadingParams
from pipeline.training.predict import STOCHASTIC_SEED, check_cohort

log = get_logger("training")


def explain_fold(
    fold_dir: str | Path,
    features: Path | Mapping[str, Path],
    params: ExplainParams,
    *,
    device: str,
    source: str,
    reading: ReadingParams = DEFAULT_READING,
) -> None:
    """Write ``evidence.zarr`` of the test images of a fold beside its model and graphs.

    Of a fold without any test image it is empty, with the reason.

    Parameters
    ----------
    fold_dir
        What ``train_fold`` wrote.
    features
        Folder of ``{slide_id}.zarr``, or the file of each slide.
    params
        How much it may cost.

    Raises
    ------
    ArtefactError, CohortError, DeviceError
        If inputs are damaged, do not fit each other, or ask for what is not there.
    """
    fold, place = Path(fold_dir), choose_device(device)
    graphs = LearnedGraphs(fold / "graphs.zarr")
    upstream = {"fold_model": file_digest(fold / "model.pt"), "fold_graphs": file_digest(fold / "graphs.zarr")}
    try:
        model = read_model(fold / "model.pt", place)
    except NoModelError as error:
        provenance = record(params=params, source=source, upstream=upstream)
        write_evidence(fold / EVIDENCE, EvidenceHeader((), (), "", str(error)), (), provenance)
        return
    slide_ids = graphs.slide_ids
    cohort = load_nodes(features, slide_ids, model.fitting.embeddings, reading)
    check_cohort(cohort, model, fold / "model.pt")
    nonempty(cohort, slide_ids)
    provenance = record(
        params={**asdict(params), "method": asdict(model.spec)},
        source=source,
        upstream={**upstream, "features": cohort.digest},
    )
    header = EvidenceHeader(model.class_names, model.feature_names, model.spec.name)
    with deterministic_torch(STOCHASTIC_SEED, model.spec.settings.threads, place):
        write_evidence(fold / EVIDENCE, header, _each(model, cohort, graphs, params), provenance)
    log.info("%s: evidence in %d images", fold, len(slide_ids))


def _each(
    model: TrainedModel, cohort: CohortNodes, graphs: LearnedGraphs, params: ExplainParams
) -> Iterator[tuple[str, Evidence]]:
    model.network.requires_grad_(False)
    device = next(model.network.parameters()).device
    slides = graphs.slide_ids
    for slide_id in progress(slides, description="explaining", unit="images", total=len(slides)):
        (image,) = model.images([cohort.slides[slide_id]], device)
        yield slide_id, image_evidence(model, image, graphs.of(slide_id), params)
