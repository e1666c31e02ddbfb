"""Rule ``explain_fold``: the model of a fold to what speaks for which class in its test images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.artefacts.evidence import EVIDENCE, Evidence, EvidenceHeader, EvidenceStore, write_evidence
from pipeline.artefacts.faithfulness import FAITHFULNESS, Curves, Faithfulness, write_faithfulness
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.devices import choose_device
from pipeline.logs import get_logger, progress
from pipeline.provenance import file_digest, record
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes, nonempty
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting.checkpoint import NoModelError, TrainedModel, read_model
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.faithfulness import FRACTIONS, Explained, edge_curves, patch_curves
from pipeline.training.interpretation.image_evidence import image_evidence
from pipeline.training.params import DEFAULT_READING, ReadingParams
from pipeline.training.predict import STOCHASTIC_SEED, check_cohort

log = get_logger("training")

ORDERS_SEED = 0
"""Of the orders by chance with which evidence is compared."""


def explain_fold(
    fold_dir: str | Path,
    features: Path | Mapping[str, Path],
    params: ExplainParams,
    *,
    device: str,
    source: str,
    reading: ReadingParams = DEFAULT_READING,
) -> None:
    """Write ``evidence.zarr`` and ``faithfulness.json`` of the test images of a fold beside its model and graphs.

    Of a fold without any test image they are empty, the former with the reason.

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
        write_faithfulness(fold / FAITHFULNESS, Faithfulness(tuple(FRACTIONS.tolist()), {}, {}), provenance)
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
    with deterministic_torch(STOCHASTIC_SEED, model.spec.settings.threads, place, tf32=model.fitting.tf32):
        write_evidence(fold / EVIDENCE, header, _each(model, cohort, graphs, params), provenance)
        found = _faithfulness(model, cohort, graphs, EvidenceStore(fold / EVIDENCE), params.curve_images)
        write_faithfulness(fold / FAITHFULNESS, found, provenance)
    log.info("%s: evidence in %d images", fold, len(slide_ids))


def _faithfulness(
    model: TrainedModel, cohort: CohortNodes, graphs: LearnedGraphs, store: EvidenceStore, n_images: int
) -> Faithfulness:
    patches: dict[str, Curves] = {}
    edges: dict[str, Curves] = {}
    rng = np.random.default_rng(ORDERS_SEED)
    for slide_id in spread(store.slide_ids, n_images):
        image = _image(model, cohort, slide_id)
        explained = Explained(model, image, graphs.of(slide_id), store.of(slide_id))
        patches[slide_id] = patch_curves(explained, rng)
        of_edges = edge_curves(explained, rng)
        if of_edges is not None:
            edges[slide_id] = of_edges
    return Faithfulness(tuple(FRACTIONS.tolist()), patches, edges)


def spread(names: Sequence[str], n: int) -> list[str]:
    """At most ``n`` of ``names``, evenly spaced."""
    places = np.linspace(0, len(names) - 1, min(n, len(names))).round().astype(int)
    return [names[place] for place in places.tolist()]


def _image(model: TrainedModel, cohort: CohortNodes, slide_id: str) -> NodeImage:
    device = next(model.network.parameters()).device
    (image,) = model.images([cohort.slides[slide_id]], device)
    return image


def _each(
    model: TrainedModel, cohort: CohortNodes, graphs: LearnedGraphs, params: ExplainParams
) -> Iterator[tuple[str, Evidence]]:
    model.network.requires_grad_(False)
    slides = graphs.slide_ids
    for slide_id in progress(slides, description="explaining", unit="images", total=len(slides)):
        yield slide_id, image_evidence(model, _image(model, cohort, slide_id), graphs.of(slide_id), params)
