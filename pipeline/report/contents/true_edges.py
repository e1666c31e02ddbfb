"""True edges of synthetic slides, beside which learned ones are drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Bools
from pipeline.artefacts.csv_files import read_csv
from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.report.contents.graph_statistics import ImageGraph, kept_pairs

COLUMNS = {"x_l0": "int64", "y_l0": "int64", "other_x_l0": "int64", "other_y_l0": "int64"}
"""Level-0 (x, y) of the top-left corners of the two tiles of an edge."""


def read_true_graph(folder: Path, image: ImageGraph) -> ImageGraph | None:
    """The image with its true edges in place of the learned ones, all of weight 1; None where no file names any.

    Edges of tiles that are no patch of the image are left out.

    Parameters
    ----------
    folder
        Holds ``{slide_id}.edges.csv``.

    Raises
    ------
    ArtefactError
        If the file is no table of edges.
    """
    path = folder / f"{image.slide_id}.edges.csv"
    if not path.exists():
        return None
    edges = read_csv(path, "true edges", COLUMNS)
    node = {tuple(corner): number for number, corner in enumerate(image.corners_l0.tolist())}
    ends = edges[["x_l0", "y_l0"]].to_numpy().tolist(), edges[["other_x_l0", "other_y_l0"]].to_numpy().tolist()
    pairs = [(node.get(tuple(one)), node.get(tuple(other))) for one, other in zip(*ends, strict=True)]
    known = np.array([pair for pair in pairs if None not in pair], np.int64).reshape(-1, 2)
    both = np.concatenate([known, known[:, ::-1]]).T
    graph = LearnedGraph(both, np.ones(both.shape[1], np.float32), np.ones(both.shape[1], np.bool_))
    return replace(image, graph=graph)


def share_on_true_edges(learned: ImageGraph, true: ImageGraph) -> float | None:
    """Share of the weight of kept edges that lies on true ones; None without weight."""
    pairs, weight = kept_pairs(learned.graph)
    if not weight.sum():
        return None
    is_true = _is_joined(true)
    return float(weight[is_true[pairs[:, 0], pairs[:, 1]]].sum() / weight.sum())


def share_of_pairs(true: ImageGraph) -> float:
    """Share of all pairs of patches that a true edge joins: what a graph without knowledge would have."""
    joined = _is_joined(true)
    return float(joined.sum() / max(true.n_patches * (true.n_patches - 1), 1))


def _is_joined(image: ImageGraph) -> Bools:
    joined = np.zeros((image.n_patches, image.n_patches), np.bool_)
    joined[image.graph.edge_index[0], image.graph.edge_index[1]] = True
    return joined
