"""Where a report finds what it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

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
        Feature cache by slide_id.
    predictions
        Predictions for slides without label and new ones, or None.
    new_slides
        Ids of the slides of the sheet of new slides; a label that one has is compared with
        its prediction and was not trained on.
    config
        The whole configuration, printed on the page.
    has_panels
        Whether panels of the slides are made beside the page.
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
    new_slides: frozenset[str] = frozenset()
    config: Mapping[str, Any] = field(default_factory=dict)
    has_panels: bool = False

    @classmethod
    def below(
        cls,
        outdir: Path,
        slides: Sequence[SlideRow],
        config: Mapping[str, Any],
        *,
        folds: Sequence[int],
        computed: Sequence[str],
        new_slides: Sequence[str],
    ) -> Self:
        """Sources of a run of the workflow, each where its rule writes it.

        Parameters
        ----------
        outdir
            The run's ``outdir``.
        config
            The whole configuration; names run, methods and seeds.
        computed
            Ids of the slides whose features were computed, which have tiles and nuclei.
        new_slides
            Ids of the slides of the sheet of new slides.
        """
        predictions = outdir / f"predictions/{config['run']}.csv"
        is_predicted = bool(new_slides) or any(row.label is None for row in slides)
        return cls(
            run=config["run"],
            slides=slides,
            training=outdir / "training" / config["run"],
            methods=config["methods"],
            seeds=config["seeds"],
            folds=folds,
            tiles={slide: outdir / f"tiles/{slide}.parquet" for slide in computed},
            overviews={slide: outdir / f"tiles/{slide}.png" for slide in computed},
            nuclei={slide: outdir / f"nuclei/{slide}.parquet" for slide in computed},
            features={row.slide_id: outdir / f"features/{row.slide_id}.zarr" for row in slides},
            predictions=predictions if is_predicted else None,
            new_slides=frozenset(new_slides),
            config=config,
            has_panels=True,
        )

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
