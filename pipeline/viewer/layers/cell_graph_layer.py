"""Edges between nuclei by region."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Int64s
from pipeline.artefacts.cell_graphs import TileEdges
from pipeline.viewer.layers.nuclei_layer import NucleiLayer
from pipeline.viewer.layers.spatial_index import Box

MOST_NUCLEI = 6000
"""Nuclei in view whose edges are drawn; with more there is no line to see."""


class CellGraphLayer:
    """Cell graph of one slide, of which the tiles in view are read."""

    def __init__(self, path: Path, nuclei: NucleiLayer) -> None:
        self._edges, self._nuclei = TileEdges(path), nuclei
        self._node: Int64s = np.full(len(nuclei.points_um), -1, np.int64)
        self._node[self._edges.nucleus_id] = np.arange(len(self._edges.nucleus_id))

    def in_box(self, box: Box) -> dict[str, Any]:
        """Edges with an end in a box (um), each once: ``x0``, ``y0``, ``x1``, ``y1``, ``angle`` between the axes (rad).

        Where nuclei are too many there is no edge, and their number ``too_many``.
        """
        about = self._nuclei.index.count_about(box)
        if about > MOST_NUCLEI:
            return {"too_many": about}
        nodes = self._node[self._nuclei.index.points_in(box)]
        nodes = nodes[nodes >= 0]
        tiles = np.unique(np.searchsorted(self._edges.node_offsets, nodes, side="right") - 1)
        edges, angle = self._edges.of_tiles(tiles)
        begins, ends = (np.isin(of, nodes) for of in edges)
        # The edge back is read as well where its source lies in view.
        once = begins & ((edges[0] < edges[1]) | ~ends)
        (x0, y0), (x1, y1) = (self._nuclei.points_um[self._edges.nucleus_id[of]].T for of in edges[:, once])
        return {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "angle": angle[once]}
