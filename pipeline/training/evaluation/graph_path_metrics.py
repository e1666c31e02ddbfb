"""How often the graph path is on, and what the same models say without it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artefacts.graph_path import GRAPH_PATH, read_graph_path
from pipeline.training.evaluation.classification_metrics import Metrics, compute_metrics
from pipeline.training.evaluation.fold_predictions import FoldFrames, scored
from pipeline.training.evaluation.method_comparison import means, sample_sds


def graph_path_metrics(fold_dirs: Mapping[int, Path], frames: FoldFrames) -> dict[str, Any] | None:
    """The key ``graph_path`` of ``metrics.json``; None of a method without a pooled path beside its graph,
    and of folds that do not tell.

    ``folds`` has the decision of each; ``folds_on`` and ``images_on`` are the shares of folds
    and of test images whose predictions use the graph; ``without_graph`` has mean and SD of
    each metric of the pooled path alone.

    Parameters
    ----------
    fold_dirs
        Folder of each fold, with ``graph_path.json``.
    frames
        Test predictions of the folds that have any.
    """
    paths = {fold: fold_dirs[fold] / GRAPH_PATH for fold in frames}
    told = {fold: read_graph_path(path) for fold, path in paths.items() if path.exists()}
    if len(told) < len(paths) or any(content["decision"] is None for content in told.values()):
        return None
    on = np.array([content["decision"]["on"] for content in told.values()])
    sizes = np.array([len(frame) for frame in frames.values()])
    pooled = [_without_graph(frames, fold, content["without_graph"]) for fold, content in told.items()]
    return {
        "folds_on": float(on.mean()),
        "images_on": float((on * sizes).sum() / sizes.sum()),
        "folds": [
            {"fold": fold, **content["decision"], "pretraining": content["pretraining"]}
            for fold, content in told.items()
        ],
        "without_graph": {"mean": means(pooled), "sd": sample_sds(pooled)},
    }


def _without_graph(frames: FoldFrames, fold: int, probabilities: Mapping[str, list[float]]) -> Metrics:
    frame = frames[fold]
    return compute_metrics(np.array([probabilities[slide_id] for slide_id in frame["slide_id"]]), scored(frame)[1])
