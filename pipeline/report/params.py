"""Parameters of the report."""

from dataclasses import dataclass

from pipeline.artefacts.metrics import METRICS
from pipeline.bounds import check_choice, check_number
from pipeline.errors import ConfigError

LOWER_IS_BETTER = frozenset({"ece", "brier"})

BOUNDS: dict[str, tuple[float, float]] = {
    "n_overlays": (0, 200),
    "overview_px": (100, 4000),
    "closeup_px": (100, 4000),
    "closeup_um": (10.0, 5000.0),
    "graph_px": (200, 4000),
    "max_edges": (1, 100_000),
    "few_patches": (2, 1000),
    "few_images": (1, 10_000),
    "few_folds": (2, 100),
}
"""Smallest and largest value of each numeric key, both allowed."""


@dataclass(frozen=True)
class ReportParams:
    """What the report shows; nothing here changes a result.

    Attributes
    ----------
    title
        Heading of the page; empty means the run's name.  Any text.
    n_overlays
        Slides whose pictures are drawn, 0 to 200.  Six fill two rows of the page.
    overview_px
        Longer side of an overview picture in pixels, 100 to 4000.
    closeup_um
        Side of the field in which nuclei are outlined in um, 10 to 5000.  200 um shows
        a few hundred nuclei of about 8 um, few enough to tell apart.
    closeup_px
        Side of that picture in pixels, 100 to 4000.
    graph_px
        Longer side of a picture with a patch graph in pixels, 200 to 4000.
    max_edges
        Heaviest edges drawn on one slide, 1 to 100,000; more hide the tissue.
    headline_metric
        Metric by which methods are ranked on the page, one of ``METRICS``.
    few_patches
        A median of fewer patches an image than this is warned of, 2 to 1000.  With one
        patch there is no edge to learn; below about 8 there is little to choose from.
    few_images
        A class with fewer labelled images than this is warned of, 1 to 10,000.
    few_folds
        A spread over fewer values than this is warned of, 2 to 100.
    """

    title: str = ""
    n_overlays: int = 6
    overview_px: int = 480
    closeup_um: float = 200.0
    closeup_px: int = 560
    graph_px: int = 640
    max_edges: int = 150
    headline_metric: str = "balanced_accuracy"
    few_patches: int = 8
    few_images: int = 20
    few_folds: int = 5

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            check_number(f"report.{name}", getattr(self, name), low, high, whole=not name.endswith("_um"))
        if not isinstance(self.title, str):
            raise ConfigError(f"report.title: expected text, found {self.title!r}.")
        check_choice("report.headline_metric", self.headline_metric, METRICS)
