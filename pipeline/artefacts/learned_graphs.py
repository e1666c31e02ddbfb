"""``graphs.zarr/{slide_id}``: the learned patch graph of each test image of a fold.

Node i is row i of the slide's feature store.  Edges hold both directions and no
self-loops; ``weight`` is the noise-free score in [0, 1]; ``kept`` marks the edges that
the classifier used after sparsification.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.artefacts.tables import check_header
from pipeline.artefacts.zarr_store import open_store, read_array, write_store

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

    edge_index: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    kept: npt.NDArray[np.bool_]


def write_learned_graphs(path: str | Path, graphs: Mapping[str, LearnedGraph], provenance: Mapping[str, Any]) -> None:
    """Write the graphs of a fold's test images, one group a slide."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for slide_id, graph in graphs.items():
        arrays[f"{slide_id}/edge_index"] = np.asarray(graph.edge_index, np.int64)
        arrays[f"{slide_id}/weight"] = np.asarray(graph.weight, np.float32)
        arrays[f"{slide_id}/kept"] = np.asarray(graph.kept, np.bool_)
    write_store(path, arrays, {"kind": KIND, "provenance": dict(provenance)})


def read_learned_graph(path: str | Path, slide_id: str) -> LearnedGraph:
    """Patch graph of one image of a fold.

    Raises
    ------
    ArtefactError
        If the store or the slide's arrays are missing, foreign or damaged.
    """
    group = open_store(path, KIND)
    check_header(dict(group.attrs), KIND, str(path))
    return LearnedGraph(
        read_array(group, f"{slide_id}/edge_index", path),
        read_array(group, f"{slide_id}/weight", path),
        read_array(group, f"{slide_id}/kept", path),
    )
