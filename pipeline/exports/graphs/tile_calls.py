"""What a training says of each tile of a test image, as columns."""

import numpy as np
import pandas as pd

from pipeline.artefacts.predictions import PROBABILITY_PREFIX
from pipeline.exports.graphs.trained_folds import TrainedFolds

PREDICTED = "predicted"


def tile_calls(slide_id: str, n_tiles: int, trained: TrainedFolds) -> pd.DataFrame:
    """One row a tile: ``predicted`` and ``p_{class}`` of the slide, ``strength``, and ``evidence_{class}`` of the tile.

    A slide that no fold tests has rows without columns; one that was not explained lacks evidence.
    """
    if slide_id not in trained.fold_of:
        return pd.DataFrame(index=range(n_tiles))
    row, graph = trained.prediction(slide_id), trained.graph(slide_id, n_tiles)
    kept = graph.weight * graph.kept
    columns: dict[str, object] = {PREDICTED: row[PREDICTED]}
    columns |= {name: float(row[name]) for name in row.index if str(name).startswith(PROBABILITY_PREFIX)}
    columns["strength"] = np.bincount(graph.edge_index[0], kept, n_tiles)
    found = trained.evidence(slide_id)
    if found is not None:
        classes, evidence = found
        columns |= {f"evidence_{name}": evidence.node[:, column] for column, name in enumerate(classes)}
    return pd.DataFrame(columns, index=range(n_tiles))
