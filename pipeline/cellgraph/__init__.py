"""Cell graphs and features: which nuclei belong together, and what their arrangement says of a patch.

Arrays in, arrays out.  ``spatial_features``, ``graph_features``, ``orientation_features``, ``histomicstk_features`` and
``morphology_features`` take the nuclei of one patch; their ``_batch`` forms take those of many patches, row by row the
same.  ``build_graphs_batch`` joins the nuclei of tiles or of a whole slide.  Definitions are in ``docs/features.md``.
"""

from pipeline.cellgraph.core_features import (
    CORE_FEATURE_NAMES,
    PUBLISHED_CORE_FEATURE_NAMES,
    core_features_batch,
    published_core_features_batch,
)
from pipeline.cellgraph.graph_features import GRAPH_FEATURE_NAMES, graph_features, graph_features_batch
from pipeline.cellgraph.graphs import CellGraphEdges, TiledNuclei, build_graphs_batch
from pipeline.cellgraph.histomicstk_features import histomicstk_features, histomicstk_features_batch
from pipeline.cellgraph.morphology_features import (
    MORPHOLOGY_FEATURE_NAMES,
    morphology_features,
    morphology_features_batch,
)
from pipeline.cellgraph.orientation_features import (
    ORIENTATION_FEATURE_NAMES,
    orientation_features,
    orientation_features_batch,
)
from pipeline.cellgraph.params import CellGraphParams, FeatureParams
from pipeline.cellgraph.spatial_features import SPATIAL_FEATURE_NAMES, spatial_features, spatial_features_batch

__all__ = [
    "CORE_FEATURE_NAMES",
    "GRAPH_FEATURE_NAMES",
    "MORPHOLOGY_FEATURE_NAMES",
    "ORIENTATION_FEATURE_NAMES",
    "PUBLISHED_CORE_FEATURE_NAMES",
    "SPATIAL_FEATURE_NAMES",
    "CellGraphEdges",
    "CellGraphParams",
    "FeatureParams",
    "TiledNuclei",
    "build_graphs_batch",
    "core_features_batch",
    "graph_features",
    "graph_features_batch",
    "histomicstk_features",
    "histomicstk_features_batch",
    "morphology_features",
    "morphology_features_batch",
    "orientation_features",
    "orientation_features_batch",
    "published_core_features_batch",
    "spatial_features",
    "spatial_features_batch",
]
