"""Cell graphs: nuclei as nodes, joined as ``cell_graphs/{slide}.zarr`` says.

Frame of ``pos``: micrometres (x, y), origin at the slide's top-left level-0 corner, y down.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Data

from pipeline.artefacts.cell_graphs import CellGraphs
from pipeline.artefacts.nuclei import COLUMNS

PLACE = ("x_um", "y_um", "orientation_rad")
"""Columns of a nucleus that say where it is and how it lies, not what it looks like."""

MEASURES = tuple(name for name, dtype in COLUMNS.items() if dtype == "float64" and name not in PLACE)
"""Columns of ``x``: shape, texture and stain of a nucleus, in the order of its table."""

EDGE_MEASURES = ("length_um", "delta_orientation", "edge_to_axis")
"""Columns of ``edge_attr``: micrometres, and two angles in radians from 0 to pi/2."""

NODE_ATTRIBUTES = ("x", "pos", "orientation_rad", "nucleus_id")
EDGE_ATTRIBUTES = ("edge_attr", "edge_weight")


def nucleus_graph(nuclei: pd.DataFrame, graphs: CellGraphs) -> Data:
    """Cell graph of a slide, one node a nucleus of the kept tiles.

    Parameters
    ----------
    nuclei
        The slide's nucleus table.
    graphs
        The cell graphs that were made from it.

    Returns
    -------
    Data
        See ``nucleus_nodes`` and ``nucleus_edges``; ``feature_names`` and ``edge_attr_names``
        name the columns of ``x`` and ``edge_attr``.
    """
    names = {"feature_names": list(MEASURES), "edge_attr_names": list(EDGE_MEASURES)}
    return Data(**nucleus_nodes(nuclei, graphs), **nucleus_edges(graphs), **names)


def nucleus_graphs_by_tile(nuclei: pd.DataFrame, graphs: CellGraphs) -> list[Data]:
    """Cell graph of each tile, in the order of ``graphs.tile_id``; one without nuclei has 0 nodes.

    As ``nucleus_graph``, but for ``tile_id``, int64 (1,).  Edges that end in another tile are
    left out.
    """
    whole = nucleus_graph(nuclei, graphs)
    return [_of_tile(whole, graphs, place) for place in range(len(graphs.tile_id))]


def nucleus_nodes(nuclei: pd.DataFrame, graphs: CellGraphs) -> dict[str, Tensor]:
    """Attributes of the nuclei, in the order of ``graphs.nucleus_id``.

    Returns
    -------
    dict
        ``x`` float32 (n, len(MEASURES)), NaN where a nucleus lacks a measure; ``pos`` float32
        (n, 2), um; ``orientation_rad`` float32 (n,), axis in [0, pi) from +x towards +y;
        ``nucleus_id`` int64 (n,), rows of the nucleus table; ``tile_id`` int64 (n,), the owner.

    Raises
    ------
    KeyError
        If ``graphs`` name a nucleus that is not in the table.
    """
    rows = nuclei.set_index("nucleus_id").loc[graphs.nucleus_id]
    return {
        "x": torch.from_numpy(rows[list(MEASURES)].to_numpy(np.float32)),
        "pos": torch.from_numpy(rows[["x_um", "y_um"]].to_numpy(np.float32)),
        "orientation_rad": torch.from_numpy(rows["orientation_rad"].to_numpy(np.float32)),
        "nucleus_id": torch.from_numpy(graphs.nucleus_id),
        "tile_id": torch.from_numpy(np.repeat(graphs.tile_id, np.diff(graphs.node_offsets))),
    }


def nucleus_edges(graphs: CellGraphs) -> dict[str, Tensor]:
    """Edges between nuclei, both directions.

    Returns
    -------
    dict
        ``edge_index`` int64 (2, E); ``edge_attr`` float32 (E, 3), columns ``EDGE_MEASURES``, of
        which ``edge_to_axis`` is NaN where two centroids coincide; ``edge_weight`` float32 (E,)
        in [0, 1].
    """
    measures = [getattr(graphs, name) for name in EDGE_MEASURES]
    return {
        "edge_index": torch.from_numpy(graphs.edge_index),
        "edge_attr": torch.from_numpy(np.stack(measures, axis=1)),
        "edge_weight": torch.from_numpy(graphs.weight),
    }


def _of_tile(whole: Data, graphs: CellGraphs, place: int) -> Data:
    first, last = graphs.node_offsets[place : place + 2].tolist()
    edges = slice(*graphs.edge_offsets[place : place + 2].tolist())
    target = whole.edge_index[1, edges]
    inside = (target >= first) & (target < last)
    return Data(
        edge_index=whole.edge_index[:, edges][:, inside] - first,
        tile_id=torch.tensor([int(graphs.tile_id[place])]),
        **{name: whole[name][first:last] for name in NODE_ATTRIBUTES},
        **{name: whole[name][edges][inside] for name in EDGE_ATTRIBUTES},
        feature_names=whole.feature_names,
        edge_attr_names=whole.edge_attr_names,
    )
