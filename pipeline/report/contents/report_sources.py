"""Where a report finds what it shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pipeline.artefacts.metrics import read_metrics
from pipeline.artefacts.sheet import SlideRow, rows_from_plain
from pipeline.errors import ArtefactError

METRICS_FILE = "metrics.json"


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
    benchmarks
        Folder in which Snakemake left what each job took; None without one.
    seed_folders
        Folder of a method and seed with ``metrics.json`` and ``fold_{k}/``, where it is not
        ``{method}/seed_{s}`` of ``training``.
    split_folder
        Folder with ``splits.csv`` and ``excluded.csv``, where it is not ``training``.
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
    benchmarks: Path | None = None
    seed_folders: Mapping[tuple[str, int], Path] = field(default_factory=dict)
    split_folder: Path | None = None

    @classmethod
    def below(
        cls,
        outdir: Path,
        *,
        rows: Iterable[Mapping[str, Any]],
        config: Mapping[str, Any],
        folds: Sequence[int],
        computed: Sequence[str],
        new_slides: Sequence[str],
    ) -> Self:
        """Sources of a run of the workflow, each where its rule writes it.

        Parameters
        ----------
        outdir
            The run's ``outdir``.
        rows
            All rows of the sheets, as ``SlideRow.plain`` gives them.
        config
            The whole configuration; names run, methods and seeds.
        computed
            Ids of the slides whose features were computed, which have tiles and nuclei.
        new_slides
            Ids of the slides of the sheet of new slides.
        """
        slides = rows_from_plain(rows)
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
            benchmarks=outdir / "benchmarks",
        )

    @classmethod
    def of_trained(
        cls,
        folder: Path,
        slides: Sequence[SlideRow],
        features: Mapping[str, Path],
        config: Mapping[str, Any],
        *,
        work: Path | None = None,
        has_panels: bool = False,
    ) -> Self:
        """Sources of a training of one seed that ``abignet train`` made.

        Parameters
        ----------
        folder
            ``--out`` of the training: of one method, or with one folder a method.
        slides
            Rows of its sheet; the labelled ones, since no other is predicted.
        features
            Feature file by slide_id.
        work
            Folder with ``{slide_id}.tiles.parquet``, ``.png`` and ``.nuclei.parquet``, as ``abignet features``
            leaves them; None has none.

        Raises
        ------
        ArtefactError
            If the folder holds no metrics, or those of several seeds.
        """
        metrics = _trained_metrics(folder)
        seed_folders = {(str(told["method"]), int(told["seed"])): path for path, told in metrics.items()}
        seeds = sorted({seed for _, seed in seed_folders})
        if len(seeds) > 1:
            raise ArtefactError(f"{folder}: expected methods of one seed, found seeds {', '.join(map(str, seeds))}.")
        told = next(iter(metrics.values()))
        folds = {int(fold["fold"]) for fold in (*told["folds"], *told.get("folds_left_out", ()))}
        return cls(
            run=folder.resolve().name,
            slides=slides,
            training=folder,
            methods=[method for method, _ in seed_folders],
            seeds=seeds,
            folds=sorted(folds),
            tiles=_existing(work, slides, "tiles.parquet"),
            overviews=_existing(work, slides, "png"),
            nuclei=_existing(work, slides, "nuclei.parquet"),
            features=features,
            config=config,
            has_panels=has_panels,
            seed_folders=seed_folders,
            split_folder=next(iter(metrics)),
        )

    @property
    def splits(self) -> Path:
        """One row per (seed, fold, slide) with its role."""
        return self.splits_beside / "splits.csv"

    @property
    def excluded(self) -> Path:
        """Labelled slides that are in no fold, with the reason."""
        return self.splits_beside / "excluded.csv"

    @property
    def comparison(self) -> Path:
        """Methods against the reference."""
        return self.training / "comparison.csv"

    @property
    def splits_beside(self) -> Path:
        """Folder with the splits and their provenance."""
        return self.training if self.split_folder is None else self.split_folder

    def seed_folder(self, method: str, seed: int) -> Path:
        """Folder of a method and seed."""
        return self.seed_folders.get((method, seed)) or self.training / method / f"seed_{seed}"

    def metrics(self, method: str, seed: int) -> Path:
        """``metrics.json`` of a method and seed."""
        return self.seed_folder(method, seed) / METRICS_FILE

    def fold_folder(self, method: str, seed: int, fold: int) -> Path:
        """Folder with the model, history, predictions and graphs of one fold."""
        return self.seed_folder(method, seed) / f"fold_{fold}"


def _trained_metrics(folder: Path) -> dict[Path, dict[str, Any]]:
    """``metrics.json`` by the folder that it lies in: ``folder`` itself, or those of several methods."""
    own = folder / METRICS_FILE
    files = [own] if own.is_file() else sorted(folder.glob(f"*/{METRICS_FILE}"))
    if not files:
        raise ArtefactError(
            f"{folder}: expected {METRICS_FILE}, or {{method}}/{METRICS_FILE}, found none. Give --out of "
            "`abignet train`."
        )
    return {path.parent: read_metrics(path) for path in files}


def _existing(folder: Path | None, slides: Sequence[SlideRow], suffix: str) -> dict[str, Path]:
    """Files ``{slide_id}.{suffix}`` of ``folder`` that are there, by slide."""
    if folder is None:
        return {}
    paths = {row.slide_id: folder / f"{row.slide_id}.{suffix}" for row in slides}
    return {slide_id: path for slide_id, path in paths.items() if path.is_file()}
