"""Parameters of the report."""

from dataclasses import dataclass

from pipeline.artefacts.metric_names import METRICS
from pipeline.tunables import Text, Tunables, choice, number, text, whole

LOWER_IS_BETTER = frozenset({"ece", "brier"})


@dataclass(frozen=True)
class ReportParams(Tunables, section="report"):
    """What the report shows; nothing here changes a result."""

    title: str = text("", "heading of the page; empty: the run's name", Text())
    n_overlays: int = whole(6, 0, 200, "slides whose pictures are drawn")
    overview_px: int = whole(480, 100, 4000, "longer side of an overview picture, pixels")
    closeup_um: float = number(
        200.0, 10, 5000, "side of the field in which nuclei are outlined, um; 200 shows a few hundred nuclei"
    )
    closeup_px: int = whole(560, 100, 4000, "side of that picture, pixels")
    graph_px: int = whole(640, 200, 4000, "longer side of a picture with a patch graph, pixels")
    max_edges: int = whole(150, 1, 100_000, "heaviest edges drawn on one slide; more hide the tissue")
    panel_px: int = whole(1100, 200, 4000, "longer side of the tissue's picture in the panel of a slide, pixels")
    panel_patches: int = whole(
        160, 8, 2000, "patches with picture and features in the panel of a slide; others are cut from the tissue's"
    )
    true_edges: str = text(
        "",
        "folder with {slide}.edges.csv, true edges of painted slides (abignet synth painted), drawn beside learned",
        Text(),
    )
    headline_metric: str = choice(
        "balanced_accuracy",
        METRICS,
        f"by which methods are ranked: {', '.join(METRICS[:-1])} or {METRICS[-1]}",
    )
    few_patches: int = whole(
        8, 2, 1000, "warn when the median image keeps fewer patches: a graph of one node learns nothing"
    )
    few_images: int = whole(20, 1, 10_000, "warn when a class has fewer labelled images")
    few_patients: int = whole(50, 1, 100_000, "warn when fewer patients are in the folds")
    few_folds: int = whole(5, 2, 100, "warn when a spread stands on fewer values")
