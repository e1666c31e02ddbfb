"""What a trained model says of its test images, and the graphs it used, as files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.graph_path import GRAPH_PATH, write_graph_path
from pipeline.artefacts.learned_graphs import write_learned_graphs
from pipeline.artefacts.predictions import PREDICTIONS, prediction_frame, write_predictions
from pipeline.errors import CohortError
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.cohort.cohort_nodes import CohortNodes, nonempty
from pipeline.training.cohort.seeds import derived_seed
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import each_learned_graph, logits_without_graph, predict_probabilities
from pipeline.training.graphs.image_batches import NodeImage


def write_tested_images(
    out: Path,
    model: TrainedModel,
    cohort: CohortNodes,
    test: pd.DataFrame,
    task: FittingTask,
    provenance: Mapping[str, Any],
) -> None:
    """Write ``predictions.csv``, ``graphs.zarr`` and ``graph_path.json`` of the images of ``test`` to ``out``.

    Parameters
    ----------
    test
        Columns slide_id, case_id, label.

    Raises
    ------
    CohortError
        If an image has no patch or a class that the model does not know.
    """
    unknown = sorted(set(test["label"]) - set(model.class_names))
    if unknown:
        raise CohortError(
            f"class {unknown[0]!r} is only in the test fold; the model knows {', '.join(model.class_names)}."
        )
    slide_ids = [str(slide_id) for slide_id in test["slide_id"]]
    nonempty(cohort, slide_ids)
    with task.deterministic(derived_seed(task.seeds.seed, "test")):
        slides = [cohort.slides[slide_id] for slide_id in slide_ids]
        images = model.images(slides, task.device, cohort.reading.card_share)
        probabilities = predict_probabilities(
            model.network, images, n_classes=len(model.class_names), temperature=model.temperature
        )
        graphs = ((slide_ids[place], graph) for place, graph in each_learned_graph(model.network, images))
        write_learned_graphs(out / "graphs.zarr", graphs, provenance)
        write_graph_path(out / GRAPH_PATH, _graph_path(model, slide_ids, images))
    frame = prediction_frame(slide_ids, list(test["case_id"]), list(test["label"]), model.class_names, probabilities)
    write_predictions(out / PREDICTIONS, frame)


def _graph_path(model: TrainedModel, slide_ids: Sequence[str], images: Sequence[NodeImage]) -> dict[str, Any]:
    """Content of ``graph_path.json``; empty of a method without a pooled path beside its graph."""
    network = model.network
    if model.graph_gate is None or not isinstance(network, PooledAndGraph):
        return {}
    probabilities = (logits_without_graph(network, images).double() / model.temperature).softmax(dim=-1)
    return {
        "decision": asdict(model.graph_gate),
        "pretraining": network.pretraining,
        "without_graph": dict(zip(slide_ids, probabilities.tolist(), strict=True)),
    }
