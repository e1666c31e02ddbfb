"""``cell_graphs/{slide}.zarr``: one graph of nuclei per kept tile, in CSR over tiles.

Tile t owns nuclei ``nucleus_id[node_offsets[t]:node_offsets[t + 1]]`` (rows of the
slide's nucleus table) and edges ``edge_offsets[t]:edge_offsets[t + 1]``, those whose source
it owns.  Edges hold both directions, sorted by source then target, no self-loops; ends are
positions in ``nucleus_id``, numbered over the whole slide.  A graph of the whole slide
(``cell_graphs.extent: slide``) has edges whose target another tile owns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float32s, Int64s
from pipeline.artefacts.consistency import (
    all_distinct,
    all_finite,
    all_shares,
    are_edges,
    are_offsets,
    check_consistent,
)
from pipeline.artefacts.zarr_store import open_headed_store, read_array, read_slice, write_store
from pipeline.provenance import FORMAT_VERSIONS

KIND = "cell_graphs"


@dataclass(frozen=True)
class CellGraphs:
    """Cell graphs of the kept tiles of one slide.

    Attributes
    ----------
    tile_id
        int64 (n_tiles,), in the order of the tile table.
    nucleus_id
        int64 (n_nuclei,), rows of the nucleus table, grouped by tile.
    node_offsets, edge_offsets
        int64 (n_tiles + 1,).
    edge_index
        int64 (2, n_edges), positions in ``nucleus_id``; both directions.
    length_um
        float32 (n_edges,), distance of the two centroids.
    delta_orientation
        float32 (n_edges,), angle between the two axes in radians, 0 to pi/2, reliable or not; NaN
        where an axis is not known.
    edge_to_axis
        float32 (n_edges,), angle between the edge and the axis of its source in radians, 0 to
        pi/2; the edge back holds that to the other axis.  NaN where that axis is not known or the
        centroids coincide.
    weight
        float32 (n_edges,), nearness and agreement of the two nuclei, 0 to 1; 1 for the paper's
        graph.  ``docs/features.md`` has the formula.
    """

    tile_id: Int64s
    nucleus_id: Int64s
    node_offsets: Int64s
    edge_index: Int64s
    edge_offsets: Int64s
    length_um: Float32s
    delta_orientation: Float32s
    edge_to_axis: Float32s
    weight: Float32s


ARRAYS: dict[str, str] = {
    "tile_id": "int64",
    "nucleus_id": "int64",
    "node_offsets": "int64",
    "edge_index": "int64",
    "edge_offsets": "int64",
    "length_um": "float32",
    "delta_orientation": "float32",
    "edge_to_axis": "float32",
    "weight": "float32",
}


def empty_cell_graphs() -> CellGraphs:
    """Graphs of a slide without tiles."""
    shapes = {"node_offsets": (1,), "edge_offsets": (1,), "edge_index": (2, 0)}
    return CellGraphs(**{name: np.zeros(shapes.get(name, (0,)), dtype) for name, dtype in ARRAYS.items()})


def write_cell_graphs(
    path: str | Path, graphs: CellGraphs, *, slide_id: str, reason: str | None, provenance: Mapping[str, Any]
) -> None:
    """Write the cell graphs of a slide; ``reason`` says why there is none, else None."""
    arrays = {name: np.asarray(getattr(graphs, name), dtype) for name, dtype in ARRAYS.items()}
    header = {
        "kind": KIND,
        "format_version": FORMAT_VERSIONS[KIND],
        "slide_id": slide_id,
        "reason": reason,
        "provenance": dict(provenance),
    }
    write_store(path, arrays, header)


def read_cell_graphs(path: str | Path) -> tuple[CellGraphs, dict[str, Any]]:
    """Cell graphs of a slide and the store's header.

    Raises
    ------
    ArtefactError
        If the store is missing, foreign, damaged or inconsistent.
    """
    group, header = open_headed_store(path, KIND)
    graphs = CellGraphs(**{name: read_array(group, name, path, KIND) for name in ARRAYS})
    _check(graphs, header, path)
    return graphs, header


class TileEdges:
    """Cell graphs of a slide whose edges are read tile by tile, for who looks at a region of it.

    Chunks are checked as they are read, by the store's checksums; the whole is not.

    Attributes
    ----------
    nucleus_id, node_offsets, edge_offsets
        See ``CellGraphs``.

    Raises
    ------
    ArtefactError
        If the store is missing, foreign or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._group, _ = open_headed_store(path, KIND)
        offsets = ("nucleus_id", "node_offsets", "edge_offsets")
        self.nucleus_id, self.node_offsets, self.edge_offsets = (
            read_array(self._group, name, path, KIND) for name in offsets
        )

    def of_tiles(self, tiles: Int64s) -> tuple[Int64s, Float32s]:
        """Edges of some tiles, int64 (2, n), and the angle between both axes, float32 (n,).

        Parameters
        ----------
        tiles
            Positions in ``tile_id``, ascending; those of neighbours are read together.

        Raises
        ------
        ArtefactError
            If a chunk is damaged.
        """
        runs = np.split(tiles, np.flatnonzero(np.diff(tiles) > 1) + 1) if len(tiles) else []
        ranges = [(int(self.edge_offsets[run[0]]), int(self.edge_offsets[run[-1] + 1])) for run in runs]
        edges = [read_slice(self._group, "edge_index", at, self._path, KIND) for at in ranges]
        angles = [read_slice(self._group, "delta_orientation", at, self._path, KIND) for at in ranges]
        return (
            np.concatenate([np.zeros((2, 0), np.int64), *edges], axis=1),
            np.concatenate([np.zeros(0, np.float32), *angles]),
        )


def _check(graphs: CellGraphs, header: Mapping[str, Any], path: str | Path) -> None:
    """Raise ``ArtefactError`` where the arrays contradict each other."""
    n_tiles, n_nuclei, n_edges = len(graphs.tile_id), len(graphs.nucleus_id), graphs.edge_index.shape[-1]
    attributes = (graphs.length_um, graphs.delta_orientation, graphs.edge_to_axis, graphs.weight)
    expectations = {
        "each tile once": all_distinct(graphs.tile_id),
        "each nucleus once": all_distinct(graphs.nucleus_id),
        f"node_offsets from 0 to {n_nuclei} for {n_tiles} tiles": are_offsets(graphs.node_offsets, n_tiles, n_nuclei),
        f"edge_offsets from 0 to {n_edges} for {n_tiles} tiles": are_offsets(graphs.edge_offsets, n_tiles, n_edges),
        f"edges between two of {n_nuclei} nuclei": are_edges(graphs.edge_index, n_nuclei),
        f"{n_edges} values of each attribute of edges": all(values.shape == (n_edges,) for values in attributes),
        "lengths of edges above 0 um": all_finite(graphs.length_um) and bool((graphs.length_um >= 0).all()),
        "weights of edges from 0 to 1": all_finite(graphs.weight) and all_shares(graphs.weight),
        "no graph where there is a reason for none": not (header.get("reason") and n_tiles),
    }
    check_consistent(KIND, path, expectations)
    sources = np.searchsorted(graphs.edge_index[0], graphs.node_offsets)
    check_consistent(KIND, path, {"edges grouped by tile": bool((sources == graphs.edge_offsets).all())})
