"""Cell graphs and features: which nuclei belong together, and what their arrangement says of a patch.

Arrays in, arrays out.  ``spatial_features``, ``graph_features``, ``orientation_features``, ``histomicstk_features`` and
``morphology_features`` take the nuclei of one patch; their ``_batch`` forms take those of many patches, row by row the
same.  ``build_graphs_batch`` joins the nuclei of tiles or of a whole slide.  Definitions are in ``docs/features.md``.

Names are imported when they are first asked for, so that a rule that builds graphs reaches no feature.
"""

from importlib import import_module
from typing import Any

PUBLIC = {
    "features.cell_orientation_entropy": (
        "CORE_FEATURE_NAMES",
        "PUBLISHED_CORE_FEATURE_NAMES",
        "core_features_batch",
        "published_core_features_batch",
    ),
    "features.cell_type_features": ("cell_type_feature_names", "cell_type_features", "cell_type_features_batch"),
    "features.graph_features": ("GRAPH_FEATURE_NAMES", "graph_features", "graph_features_batch"),
    "features.histomicstk_features": ("histomicstk_features", "histomicstk_features_batch"),
    "features.morphology_features": (
        "MORPHOLOGY_FEATURE_NAMES",
        "morphology_features",
        "morphology_features_batch",
    ),
    "features.orientation_features": (
        "ORIENTATION_FEATURE_NAMES",
        "orientation_features",
        "orientation_features_batch",
    ),
    "features.spatial_features": ("SPATIAL_FEATURE_NAMES", "spatial_features", "spatial_features_batch"),
    "graphs.edge_rules": ("CellGraphEdges", "build_graphs_batch"),
    "graphs.tiled_nuclei": ("TiledNuclei",),
    "params": ("CellGraphParams", "FeatureParams"),
}
"""Public names by the module that holds them."""

__all__ = sorted(name for names in PUBLIC.values() for name in names)


def __getattr__(name: str) -> Any:
    for module, names in PUBLIC.items():
        if name in names:
            return getattr(import_module(f"pipeline.cellgraph.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
