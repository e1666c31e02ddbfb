"""``graphs.zarr/{slide_id}``: the learned patch graph of each test image of a fold.

Node i is row i of the slide's feature store.  Edges hold both directions and no
self-loops; ``weight`` is the noise-free score in [0, 1]; ``kept`` marks the edges that
the classifier used after sparsification.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.arrays import Bools, Float32s, Int64s
from pipeline.artefacts.consistency import all_finite, all_shares, are_edges, check_consistent
from pipeline.artefacts.zarr_store import expected_digests, open_headed_store, read_array, write_store
from pipeline.provenance import FORMAT_VERSIONS

KIND = "learned_graphs"


@dataclass(frozen=True)
class LearnedGraph:
    """Patch graph of one image.

    Attributes
    ----------
    edge_index
        int64 (2, E).
    weight
        float32 (E,) in [0, 1].
    kept
        bool (E,).
    """

    edge_index: Int64s
    weight: Float32s
    kept: Bools


def mean_graph(graphs: Sequence[LearnedGraph], n_nodes: int, votes: Sequence[float]) -> LearnedGraph:
    """Mean weight of each edge over ``graphs`` of one image by ``votes``, sum 1.

    An edge that one has not counts 0 there.  Kept are the edges that any keeps; graphs without a vote are left out.
    """
    graphs = [graph for graph, vote in zip(graphs, votes, strict=True) if vote > 0]
    shares = np.array([vote for vote in votes if vote > 0])
    first = graphs[0]
    if all(np.array_equal(graph.edge_index, first.edge_index) for graph in graphs[1:]):
        mean = shares @ np.stack([graph.weight for graph in graphs])
        return LearnedGraph(first.edge_index, mean.astype(np.float32), np.any([graph.kept for graph in graphs], axis=0))
    places = np.concatenate([graph.edge_index[0] * n_nodes + graph.edge_index[1] for graph in graphs])
    union, position = np.unique(places, return_inverse=True)
    weighted = [share * graph.weight for share, graph in zip(shares, graphs, strict=True)]
    weight = np.bincount(position, np.concatenate(weighted))
    kept = np.bincount(position, np.concatenate([graph.kept for graph in graphs])) > 0
    return LearnedGraph(np.stack([union // n_nodes, union % n_nodes]), weight.astype(np.float32), kept)


ARRAYS = {"edge_index": "int64", "weight": "float32", "kept": "bool"}


def write_learned_graphs(
    path: str | Path, graphs: Iterable[tuple[str, LearnedGraph]], provenance: Mapping[str, Any]
) -> None:
    """Write slide and graph of a fold's test images, one group a slide, each as it comes."""
    arrays = (
        (f"{slide_id}/{name}", np.asarray(getattr(graph, name), dtype))
        for slide_id, graph in graphs
        for name, dtype in ARRAYS.items()
    )
    header = {"kind": KIND, "format_version": FORMAT_VERSIONS[KIND], "provenance": dict(provenance)}
    write_store(path, arrays, header)


class LearnedGraphs:
    """Patch graphs of the test images of a fold, read one by one from a store that is opened once.

    Raises
    ------
    ArtefactError
        If the store is missing, foreign or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._group, _ = open_headed_store(path, KIND)

    @property
    def slide_ids(self) -> list[str]:
        """The images, sorted."""
        named = {name.rpartition("/")[0] for name in expected_digests(self._group)}
        return sorted(named or self._group.group_keys())

    def of(self, slide_id: str) -> LearnedGraph:
        """Patch graph of one image.

        Raises
        ------
        ArtefactError
            If its arrays are missing or damaged.
        """
        return _graph(self._group, self._path, slide_id)


def read_learned_graph(path: str | Path, slide_id: str) -> LearnedGraph:
    """Patch graph of one image of a fold; of several, ``LearnedGraphs`` opens the store once.

    Raises
    ------
    ArtefactError
        See ``LearnedGraphs``.
    """
    return LearnedGraphs(path).of(slide_id)


def _graph(group: zarr.Group, path: str | Path, slide_id: str) -> LearnedGraph:
    graph = LearnedGraph(**{name: read_array(group, f"{slide_id}/{name}", path, KIND) for name in ARRAYS})
    n_edges = graph.edge_index.shape[-1]
    expectations = {
        f"{slide_id}/edge_index to join two patches": are_edges(graph.edge_index, None),
        f"{n_edges} values of {slide_id}/weight and kept": graph.weight.shape == graph.kept.shape == (n_edges,),
        f"{slide_id}/weight from 0 to 1": all_finite(graph.weight) and all_shares(graph.weight),
    }
    check_consistent(KIND, path, expectations)
    return graph
