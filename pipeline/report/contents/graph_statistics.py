"""Learned patch graphs in numbers.

A pair of patches is one line: its weight is the mean of its two directions, a direction
that is not kept counting as 0; for a symmetric graph that is the edge's own weight.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import pdist

from pipeline.artefacts.feature_parts import read_patch_places
from pipeline.artefacts.learned_graphs import LearnedGraph, LearnedGraphs
from pipeline.errors import ArtefactError
from pipeline.report.contents.report_sources import ReportSources

WEIGHT_BINS = np.linspace(0.0, 1.0, 41)
"""Edges of the histogram of edge weights."""

ALL_CLASSES = "all classes"
"""Key of the summary of all images."""

MOST_PATCHES_IN_PAIRS = 1500
"""Guard: the mean distance of all pairs is taken over an even selection of this many patches."""


@dataclass(frozen=True)
class ImageGraph:
    """Learned graph of one test image and what was predicted from it.

    Attributes
    ----------
    corners_l0
        int64 (n, 2), level-0 (x, y) of each patch's top-left corner.
    width_l0
        Side of a patch in level-0 pixels; None when the feature store does not know it.
    """

    slide_id: str
    label: str
    predicted: str
    graph: LearnedGraph
    corners_l0: npt.NDArray[np.int64]
    width_l0: float | None

    @property
    def n_patches(self) -> int:
        """Nodes of the graph."""
        return len(self.corners_l0)


@dataclass(frozen=True)
class GraphNumbers:
    """Graph of one image in numbers; None where nothing defines one.

    Attributes
    ----------
    patches
        Nodes.
    degree
        Kept edges over nodes.
    kept_share
        Kept edges over stored ones.
    weight
        Mean weight of kept edges.
    reach
        See ``reach``.
    histogram
        Kept edges per bin of ``WEIGHT_BINS``.
    """

    label: str
    patches: float
    degree: float | None
    kept_share: float | None
    weight: float | None
    reach: float | None
    histogram: npt.NDArray[np.int64]


MEASURES = ("patches", "degree", "kept_share", "weight", "reach")
"""Fields of ``GraphNumbers`` that a summary averages."""


@dataclass(frozen=True)
class GraphSummary:
    """Means of ``GraphNumbers`` over the images of one class (or of all) where they are defined.

    Attributes
    ----------
    n_images
        Images.
    histogram
        Kept edges of all images per bin of ``WEIGHT_BINS``.
    """

    n_images: int
    patches: float | None
    degree: float | None
    kept_share: float | None
    weight: float | None
    reach: float | None
    histogram: npt.NDArray[np.int64]


def read_image_graphs(sources: ReportSources, method: str, predictions: pd.DataFrame) -> Iterator[ImageGraph]:
    """Graph of the test image of each row of predictions (``slide_id``, ``seed``, ``fold``, ``label``, ``predicted``).

    Raises
    ------
    ArtefactError
        If a graph or a slide's features cannot be read, or they disagree in the number of patches.
    """
    opened: dict[Path, LearnedGraphs] = {}
    for _, row in predictions.iterrows():
        store = sources.fold_folder(method, int(row["seed"]), int(row["fold"])) / "graphs.zarr"
        if store not in opened:
            opened[store] = LearnedGraphs(store)
        slide_id = str(row["slide_id"])
        graph = opened[store].of(slide_id)
        corners, width = _places(sources, slide_id, graph, store)
        yield ImageGraph(slide_id, str(row["label"]), str(row["predicted"]), graph, corners, width)


def _places(
    sources: ReportSources, slide_id: str, graph: LearnedGraph, store: Path
) -> tuple[npt.NDArray[np.int64], float | None]:
    """Corners of a slide's patches and their side, level-0 pixels; checks that its graph is of these patches."""
    if slide_id not in sources.features:
        raise ArtefactError(f"slide {slide_id}: expected a feature store beside its learned graph, found none.")
    patches = read_patch_places(sources.features[slide_id])
    highest = int(graph.edge_index.max(initial=-1))
    if highest >= len(patches.coords):
        raise ArtefactError(
            f"{store}/{slide_id}: edge to patch {highest}, but its features hold {len(patches.coords)} patches. "
            "Train again."
        )
    return patches.coords, patches.tile_width_l0


def kept_pairs(graph: LearnedGraph) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pairs of patches joined by a kept edge, heaviest first, and their weights.

    Returns
    -------
    pairs
        int64 (n_pairs, 2), the smaller node first.
    weight
        float64 (n_pairs,), mean of both directions; see the module.
    """
    ends = np.sort(graph.edge_index[:, graph.kept].T, axis=1)
    if not len(ends):
        return np.zeros((0, 2), np.int64), np.zeros(0)
    pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
    weight = np.bincount(inverse.ravel(), weights=graph.weight[graph.kept].astype(np.float64)) / 2
    order = np.argsort(-weight, kind="stable")
    return pairs[order], weight[order]


def node_strength(
    pairs: npt.NDArray[np.int64], weight: npt.NDArray[np.float64], n_patches: int
) -> npt.NDArray[np.float64]:
    """Sum of the weights of the pairs that touch each patch, float64 (n_patches,)."""
    return np.bincount(pairs.ravel(), weights=np.repeat(weight, 2), minlength=n_patches).astype(np.float64)


def reach(image: ImageGraph) -> float | None:
    """Weight-averaged length of kept edges over the mean distance of all pairs of patches.

    1 when distance plays no part, less when near patches are joined; None without edges
    or without two patches in different places.
    """
    kept = image.graph.edge_index[:, image.graph.kept]
    weight = image.graph.weight[image.graph.kept].astype(np.float64)
    points = image.corners_l0.astype(np.float64)
    step = max(1, -(-len(points) // MOST_PATCHES_IN_PAIRS))
    everywhere = pdist(points[::step])
    if weight.sum() <= 0 or not len(everywhere) or everywhere.mean() <= 0:
        return None
    lengths = np.linalg.norm(points[kept[0]] - points[kept[1]], axis=1)
    return float(np.average(lengths, weights=weight) / everywhere.mean())


def measure(image: ImageGraph) -> GraphNumbers:
    """Numbers of one image's graph."""
    kept, stored = int(image.graph.kept.sum()), len(image.graph.kept)
    weights = image.graph.weight[image.graph.kept]
    return GraphNumbers(
        label=image.label,
        patches=float(image.n_patches),
        degree=kept / image.n_patches if image.n_patches else None,
        kept_share=kept / stored if stored else None,
        weight=float(weights.mean()) if kept else None,
        reach=reach(image),
        histogram=np.histogram(weights, WEIGHT_BINS)[0],
    )


def summarise(images: Sequence[GraphNumbers]) -> GraphSummary:
    """Numbers of a set of graphs, each image counting the same."""
    means = {name: _mean([getattr(image, name) for image in images]) for name in MEASURES}
    histogram = sum((image.histogram for image in images), np.zeros(len(WEIGHT_BINS) - 1, np.int64))
    return GraphSummary(len(images), **means, histogram=histogram)


def summarise_by_class(images: Iterable[ImageGraph], classes: Sequence[str]) -> dict[str, GraphSummary]:
    """Summary of each class, and of all images under ``ALL_CLASSES``; reads one graph at a time."""
    numbers = [measure(image) for image in images]
    by_class = {name: summarise([image for image in numbers if image.label == name]) for name in classes}
    return {**by_class, ALL_CLASSES: summarise(numbers)}


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
