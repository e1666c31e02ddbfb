"""Where a report finds what it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artefacts.sheet import SlideRow


@dataclass(frozen=True)
class ReportSources:
    """Files and facts of one run.

    Attributes
    ----------
    run
        Name of the run.
    slides
        All rows of the sheet.
    training
        Folder ``training/{run}`` with ``splits.csv``, ``excluded.csv``,
        ``{method}/seed_{s}/metrics.json`` and ``{method}/seed_{s}/fold_{k}/``.
    methods
        Methods that were trained, in the order in which to show them.
    seeds, folds
        Seeds and folds of every method.
    tiles, overviews, nuclei
        Tile table, overview picture and nucleus table by slide_id; only slides with a
        ``path`` have them.
    features
        Feature store (``.zarr`` or ``.h5``) by slide_id.
    predictions
        Predictions for slides without label, or None.
    config
        The whole configuration, printed on the page.
    """

    run: str
    slides: Sequence[SlideRow]
    training: Path
    methods: Sequence[str]
    seeds: Sequence[int]
    folds: Sequence[int]
    tiles: Mapping[str, Path] = field(default_factory=dict)
    overviews: Mapping[str, Path] = field(default_factory=dict)
    nuclei: Mapping[str, Path] = field(default_factory=dict)
    features: Mapping[str, Path] = field(default_factory=dict)
    predictions: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> Path:
        """One row per (seed, fold, slide) with its role."""
        return self.training / "splits.csv"

    @property
    def excluded(self) -> Path:
        """Labelled slides that are in no fold, with the reason."""
        return self.training / "excluded.csv"

    @property
    def comparison(self) -> Path:
        """Methods against the reference."""
        return self.training / "comparison.csv"

    def metrics(self, method: str, seed: int) -> Path:
        """``metrics.json`` of a method and seed."""
        return self.training / method / f"seed_{seed}" / "metrics.json"

    def fold_folder(self, method: str, seed: int, fold: int) -> Path:
        """Folder with the model, history, predictions and graphs of one fold."""
        return self.training / method / f"seed_{seed}" / f"fold_{fold}"
