"""Rule ``interpret``: the graphs and the evidence of all test images of a method to what they have in common."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.faithfulness import FAITHFULNESS, read_faithfulness
from pipeline.artefacts.interpretation import FOLDS, MEMBERS, SEEDS, Interpretation, write_interpretation
from pipeline.artefacts.learned_graphs import LearnedGraph, LearnedGraphs
from pipeline.artefacts.predictions import PREDICTIONS, read_predictions
from pipeline.errors import CohortError
from pipeline.logs import get_logger, progress
from pipeline.provenance import digests, record
from pipeline.training.classifiers.pooled_and_graph import PooledAndGraph
from pipeline.training.cohort.cohort_nodes import CohortNodes, Nodes, load_nodes
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.explain_fold import spread
from pipeline.training.fitting.checkpoint import NoModelError, TrainedModel, read_model_on_cpu
from pipeline.training.fitting.inference import learned_graphs
from pipeline.training.interpretation.class_tests import class_tests, pairwise_tests
from pipeline.training.interpretation.faithfulness_areas import PARTS, area_table, curve_table, faithful
from pipeline.training.interpretation.graph_metrics import METRICS, graph_metrics
from pipeline.training.interpretation.interpret_params import InterpretParams
from pipeline.training.interpretation.motifs import (
    Kinds,
    enrichment,
    example_patches,
    find_kinds,
    joined_weight,
    null_weights,
    telling_features,
)
from pipeline.training.interpretation.null_graphs import excess_metrics
from pipeline.training.interpretation.stability import comparisons, stability_means, stability_table, verdict
from pipeline.training.params import DEFAULT_READING, ReadingParams

log = get_logger("training")

EXCESS = "excess_"
"""Before the name of a metric less that of graphs by chance of the same size."""

TOLD_FEATURES = 5

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Trained:
    """One training of a method.

    Attributes
    ----------
    seed, fold
        Which.
    folder
        What ``train_fold`` and ``explain_fold`` wrote.
    """

    seed: int
    fold: int
    folder: Path

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Of its test images."""
        return read_predictions(self.folder / PREDICTIONS)

    @cached_property
    def graphs(self) -> LearnedGraphs:
        """Of its test images."""
        return LearnedGraphs(self.folder / "graphs.zarr")

    @cached_property
    def model(self) -> TrainedModel | None:
        """Its model; None of a fold without test image."""
        try:
            return read_model_on_cpu(self.folder / "model.pt")
        except NoModelError:
            return None


def interpret(
    folders: Mapping[tuple[int, int], Path],
    features: Path | Mapping[str, Path],
    out_dir: str | Path,
    params: InterpretParams,
    *,
    source: str,
    reading: ReadingParams = DEFAULT_READING,
) -> None:
    """Write the folder ``interpretation`` of a method.

    Parameters
    ----------
    folders
        ``fold_{k}`` by seed and fold, each with its model, graphs, predictions and, where it was explained, curves.
    features
        Folder of ``{slide_id}.zarr``, or the file of each slide.
    out_dir
        The folder to write.

    Raises
    ------
    ArtefactError, CohortError
        If inputs are damaged or do not fit each other.
    """
    trained = [Trained(seed, fold, folder) for (seed, fold), folder in sorted(folders.items())]
    models = [one.model for one in trained if one.model is not None]
    if not models:
        raise CohortError(f"{out_dir}: no fold was trained; there is nothing to interpret.")
    first = [one for one in trained if one.seed == trained[0].seed]
    images = pd.concat([one.predictions.assign(fold=one.fold) for one in first]).sort_values("slide_id")
    chosen = spread_over_classes(images, params.graphs_measured)
    cohort = load_nodes(features, list(chosen["slide_id"]), models[0].fitting.embeddings, reading)
    by_fold = {one.fold: one for one in first}
    fold_of = dict(zip(map(str, chosen["slide_id"]), map(int, chosen["fold"]), strict=True))
    graphs = {slide_id: by_fold[fold].graphs.of(slide_id) for slide_id, fold in fold_of.items()}
    with deterministic_torch(params.seed, models[0].spec.settings.threads, CPU):
        compared = stability_table(list(_stability(trained, fold_of, cohort, graphs, params)))
    tables = {**_faithfulness(trained), "stability": compared, **_metrics(chosen, cohort, graphs, params)}
    motifs, kinds = _motifs(chosen, standardised(cohort, models[0]), graphs, params, models[0].feature_names)
    means = stability_means(compared)
    readable, told = verdict(means)
    sentences = [told, *(faithful(tables["faithfulness"], part) for part in PARTS)]
    gates = [model.graph_gate for model in models if model.graph_gate is not None]
    summary = {
        "method": models[0].spec.name,
        "graph_path_on": [sum(gate.on for gate in gates), len(gates)] if gates else None,
        "stability": means,
        "readable": readable,
        "reading": told,
        "verdict": " ".join(sentences),
        "kinds": kinds,
    }
    upstream = {f"seed_{one.seed}/fold_{one.fold}/graphs": one.folder / "graphs.zarr" for one in trained}
    provenance = record(params=params, source=source, upstream={**digests(upstream), "features": cohort.digest})
    write_interpretation(out_dir, Interpretation({**tables, "motifs": motifs}, summary), provenance)
    log.info("%s: %s", models[0].spec.name, summary["verdict"])


def spread_over_classes(images: pd.DataFrame, n: int) -> pd.DataFrame:
    """At most ``n`` images, evenly spaced among those of each class, as many of each as there are of the smallest."""
    if len(images) <= n:
        return images.reset_index(drop=True)
    each = max(1, n // images["label"].nunique())
    kept = [name for _, group in images.groupby("label") for name in spread(list(group["slide_id"]), each)]
    return images[images["slide_id"].isin(kept)].reset_index(drop=True)


def standardised(cohort: CohortNodes, model: TrainedModel) -> dict[str, Float32s]:
    """Features (n, d) of each image in SD of the patches that a model was trained on."""
    n_features = len(model.feature_names)
    return {slide_id: model.scaler.apply(nodes.x)[:, :n_features] for slide_id, nodes in cohort.slides.items()}


def _faithfulness(trained: Sequence[Trained]) -> dict[str, pd.DataFrame]:
    paths = [one.folder / FAITHFULNESS for one in trained]
    folds = [read_faithfulness(path) for path in paths if path.exists()]
    return {"faithfulness": area_table(folds), "curves": curve_table(folds)}


def _stability(
    trained: Sequence[Trained],
    fold_of: Mapping[str, int],
    cohort: CohortNodes,
    graphs: Mapping[str, LearnedGraph],
    params: InterpretParams,
) -> Iterator[dict[str, Any]]:
    """Graphs of some images: by the models of one training, by its own fold's and the next one's, and by seeds."""
    first = [one for one in trained if one.seed == trained[0].seed]
    place = {one.fold: number for number, one in enumerate(first)}
    slides = spread(sorted(fold_of), params.graphs_compared)
    for slide_id in progress(slides, description="comparing graphs", unit="images", total=len(slides)):
        n_nodes, nodes = cohort.n_patches(slide_id), cohort.slides[slide_id]
        own = first[place[fold_of[slide_id]]]
        other = first[(place[own.fold] + 1) % len(first)]
        by_model = () if own.model is None else _graphs_of_members(own.model, nodes)
        yield from comparisons(slide_id, MEMBERS, by_model, n_nodes)
        if other is not own and other.model is not None:
            by_fold = [(f"fold {own.fold}", graphs[slide_id]), (f"fold {other.fold}", _graph(other.model, nodes))]
            yield from comparisons(slide_id, FOLDS, by_fold, n_nodes)
        tested = [one for one in trained if slide_id in set(one.predictions["slide_id"])]
        by_seed = [(f"seed {one.seed}", one.graphs.of(slide_id)) for one in tested]
        yield from comparisons(slide_id, SEEDS, by_seed, n_nodes)


def _graph(model: TrainedModel, nodes: Nodes) -> LearnedGraph:
    return learned_graphs(model.network, model.images([nodes], CPU))[0]


def _graphs_of_members(model: TrainedModel, nodes: Nodes) -> list[tuple[str, LearnedGraph]]:
    """Graphs by the models that have a vote."""
    if not isinstance(model.network, PooledAndGraph):
        return []
    images = model.images([nodes], CPU)
    voting = zip(model.network.votes.tolist(), model.network.members, strict=True)
    speaking = [(number, member) for number, (vote, member) in enumerate(voting) if vote]
    return [(f"model {number}", learned_graphs(member, images)[0]) for number, member in speaking]


def _metrics(
    chosen: pd.DataFrame, cohort: CohortNodes, graphs: Mapping[str, LearnedGraph], params: InterpretParams
) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(params.seed)
    rows = []
    for slide_id in progress(chosen["slide_id"], description="measuring graphs", unit="images", total=len(chosen)):
        n_nodes = cohort.n_patches(slide_id)
        excess = excess_metrics(graphs[slide_id], n_nodes, params.null_graphs, rng)
        rows.append(graph_metrics(graphs[slide_id], n_nodes) | {f"{EXCESS}{name}": v for name, v in excess.items()})
    told = chosen[["slide_id", "case_id", "label", "predicted"]].reset_index(drop=True)
    table = pd.concat([told, pd.DataFrame(rows)], axis=1)
    return {
        "graph_metrics": table,
        "graph_tests": _of_both(table, class_tests),
        "graph_pairs": _of_both(table, pairwise_tests),
    }


def _of_both(table: pd.DataFrame, test: Callable[[pd.DataFrame, Sequence[str]], pd.DataFrame]) -> pd.DataFrame:
    """A test of the metrics of graphs, and of those less by chance."""
    tested = []
    for of, prefix in (("graph", ""), ("excess", EXCESS)):
        found = test(table, [f"{prefix}{name}" for name in METRICS])
        tested.append(found.assign(of=of, name=found["name"].str.removeprefix(prefix)))
    return pd.concat(tested).reset_index(drop=True)


def _motifs(
    chosen: pd.DataFrame,
    images: Mapping[str, Float32s],
    graphs: Mapping[str, LearnedGraph],
    params: InterpretParams,
    names: Sequence[str],
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    kinds, rng = find_kinds(images, params.kinds, params.seed), np.random.default_rng(params.seed)
    k = len(kinds.centre)
    of_slide: dict[str, Int64s] = {slide_id: kinds.of(x) for slide_id, x in images.items()}
    found, shares = [], {}
    for label, group in chosen.groupby("label"):
        slides = list(group["slide_id"])
        observed = sum((joined_weight(graphs[s], of_slide[s], k) for s in slides), np.zeros((k, k)))
        drawn = (null_weights(graphs[s], of_slide[s], k, params.permutations, rng) for s in slides)
        null = sum(drawn, np.zeros((params.permutations, k, k)))
        found.append(enrichment(observed, null, str(label)))
        every = np.concatenate([of_slide[slide_id] for slide_id in slides])
        shares[str(label)] = np.bincount(every, minlength=k) / len(every)
    return pd.concat(found).reset_index(drop=True), _kinds(kinds, images, shares, names)


def _kinds(
    kinds: Kinds, images: Mapping[str, Float32s], shares: Mapping[str, Any], names: Sequence[str]
) -> list[dict[str, Any]]:
    features = telling_features(kinds, names, TOLD_FEATURES)
    return [
        {
            "features": features[kind],
            "examples": examples,
            "share": {label: float(share[kind]) for label, share in shares.items()},
        }
        for kind, examples in enumerate(example_patches(images, kinds))
    ]
