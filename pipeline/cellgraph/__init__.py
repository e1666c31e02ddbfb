"""Cell graphs and features: which nuclei belong together, and what their arrangement says of a patch.

Arrays in, arrays out.  ``spatial_features``, ``graph_features``, ``orientation_features`` and
``histomicstk_features`` take the nuclei of one patch; their ``_batch`` forms take those of many patches, row by row
the same.  Definitions are in ``docs/features.md``.
"""

from pipeline.cellgraph.graph_features import GRAPH_FEATURE_NAMES, graph_features, graph_features_batch
from pipeline.cellgraph.histomicstk_features import histomicstk_features, histomicstk_features_batch
from pipeline.cellgraph.orientation_features import (
    ORIENTATION_FEATURE_NAMES,
    orientation_features,
    orientation_features_batch,
)
from pipeline.cellgraph.params import CellGraphParams, FeatureParams
from pipeline.cellgraph.spatial_features import SPATIAL_FEATURE_NAMES, spatial_features, spatial_features_batch

__all__ = [
    "GRAPH_FEATURE_NAMES",
    "ORIENTATION_FEATURE_NAMES",
    "SPATIAL_FEATURE_NAMES",
    "CellGraphParams",
    "FeatureParams",
    "graph_features",
    "graph_features_batch",
    "histomicstk_features",
    "histomicstk_features_batch",
    "orientation_features",
    "orientation_features_batch",
    "spatial_features",
    "spatial_features_batch",
]
