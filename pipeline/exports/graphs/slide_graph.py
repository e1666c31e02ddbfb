"""The graph of a slide at each level of detail, from its artefacts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from pipeline.errors import ArtefactError
from pipeline.exports.graphs.cohort_slides import CohortSlide
from pipeline.exports.graphs.nucleus_graphs import (
    nucleus_edges,
    nucleus_graph,
    nucleus_graphs_by_tile,
    nucleus_nodes,
)
from pipeline.exports.graphs.patch_graphs import learned_edges, near_edges, patch_graph
from pipeline.exports.graphs.slide_files import SlideFiles
from pipeline.exports.graphs.tissue_graphs import tissue_graph
from pipeline.exports.graphs.trained_folds import TrainedFolds

Graph: TypeAlias = "Data | HeteroData | list[Data]"

UNKNOWN_CLASS = -1
"""``y`` of a slide without label; a loss leaves it out by ``ignore_index=-1``."""

N_NEAREST = 8
"""Nearest patches that ``near`` joins a patch to: those around it on a grid."""


@dataclass(frozen=True)
class GraphSources:
    """What graphs are made from.

    Attributes
    ----------
    files
        Artefacts of the slides.
    trained
        Learned graphs; None without.
    n_nearest
        Nearest patches that ``near`` joins a patch to.
    """

    files: SlideFiles
    trained: TrainedFolds | None = None
    n_nearest: int = N_NEAREST


def cell_graph(slide: CohortSlide, sources: GraphSources) -> Data:
    """Level ``cells``: the nuclei of a slide; see ``nucleus_graph``."""
    nuclei, graphs, reason = sources.files.cells(slide.slide_id)
    return _explained(nucleus_graph(nuclei, graphs), reason)


def cell_graphs_by_patch(slide: CohortSlide, sources: GraphSources) -> list[Data]:
    """Level ``cells-by-patch``: the nuclei of each kept tile; see ``nucleus_graphs_by_tile``."""
    nuclei, graphs, _ = sources.files.cells(slide.slide_id)
    return [_explained(graph, None) for graph in nucleus_graphs_by_tile(nuclei, graphs)]


def near_patch_graph(slide: CohortSlide, sources: GraphSources) -> Data:
    """Level ``patches``: patches joined to their nearest; see ``patch_graph`` and ``near_edges``."""
    store = sources.files.patches(slide.slide_id)
    return _explained(patch_graph(store, near_edges(store.coords, sources.n_nearest)), store.reason)


def learned_patch_graph(slide: CohortSlide, sources: GraphSources) -> Data:
    """Level ``learned``: patches joined by the learned graph; see ``patch_graph`` and ``learned_edges``.

    Raises
    ------
    ArtefactError
        If there is no training, or its graph does not fit the cache.
    CohortError
        If no fold tests the slide.
    """
    store = sources.files.patches(slide.slide_id)
    return _explained(patch_graph(store, _learned(slide, sources, len(store.coords))), store.reason)


def hetero_graph(slide: CohortSlide, sources: GraphSources) -> HeteroData:
    """Level ``hetero``: nuclei and patches, with learned edges where there is a training; see ``tissue_graph``.

    Raises
    ------
    ArtefactError, CohortError
        See ``learned_patch_graph``.
    """
    nuclei, graphs, reason = sources.files.cells(slide.slide_id)
    store, tiles = sources.files.patches(slide.slide_id), sources.files.tiles(slide.slide_id)
    relations = {"near": near_edges(store.coords, sources.n_nearest)}
    if sources.trained is not None:
        relations["learned"] = _learned(slide, sources, len(store.coords))
    cells = nucleus_nodes(nuclei, graphs), nucleus_edges(graphs)
    return _explained(tissue_graph(cells, store, tiles, relations), store.reason or reason)


@dataclass(frozen=True)
class Level:
    """A level of detail.

    Attributes
    ----------
    graph
        Makes the graph of a slide.
    needs
        Kinds of artefact that it reads.
    """

    graph: Callable[[CohortSlide, GraphSources], Graph]
    needs: tuple[str, ...]


LEVELS: dict[str, Level] = {
    "cells": Level(cell_graph, ("cell_graphs", "nuclei")),
    "cells-by-patch": Level(cell_graphs_by_patch, ("cell_graphs", "nuclei")),
    "patches": Level(near_patch_graph, ("features",)),
    "learned": Level(learned_patch_graph, ("features",)),
    "hetero": Level(hetero_graph, ("features", "cell_graphs", "nuclei", "tiles")),
}
"""Levels by name, and the artefacts of each, the first of which says what slides there are."""


def available(level: str, files: SlideFiles) -> tuple[CohortSlide, ...]:
    """Slides whose graph of a level can be made, as far as files tell; without patient and label."""
    return tuple(CohortSlide(slide_id, slide_id) for slide_id in files.slide_ids(LEVELS[level].needs[0]))


def labelled_graph(level: str, slide: CohortSlide, sources: GraphSources, class_names: tuple[str, ...]) -> Graph:
    """Graph of a slide at a level, with ``slide_attributes``; of a list, on each."""
    graph = LEVELS[level].graph(slide, sources)
    for one in graph if isinstance(graph, list) else [graph]:
        for name, value in slide_attributes(slide, class_names).items():
            one[name] = value
    return graph


def slide_attributes(slide: CohortSlide, class_names: Sequence[str]) -> dict[str, Any]:
    """What a graph says of its slide.

    Returns
    -------
    dict
        ``slide_id``, ``case_id`` and ``label`` (empty when unknown); ``y`` int64 (1,), place of
        the label among ``class_names``, or ``UNKNOWN_CLASS``; ``class_names``; with splits
        ``fold`` and ``role``.
    """
    y = UNKNOWN_CLASS if slide.label is None else class_names.index(slide.label)
    in_fold = {} if slide.fold is None else {"fold": slide.fold, "role": slide.role}
    return {
        "slide_id": slide.slide_id,
        "case_id": slide.case_id,
        "label": slide.label or "",
        "y": torch.tensor([y]),
        "class_names": list(class_names),
        **in_fold,
    }


def _learned(slide: CohortSlide, sources: GraphSources, n_patches: int) -> dict[str, Tensor]:
    if sources.trained is None:
        raise ArtefactError(f"slide {slide.slide_id}: no training was given that could have learned its graph.")
    return learned_edges(sources.trained.graph(slide.slide_id, n_patches))


def _explained(graph: Data | HeteroData, reason: str | None) -> Data | HeteroData:
    """``graph`` with ``reason``, why it is empty, else an empty text."""
    graph.reason = reason or ""
    return graph
