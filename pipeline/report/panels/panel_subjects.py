"""What a panel is made of, slide by slide: its row, what became of it and the models that predicted it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.evidence import EVIDENCE
from pipeline.artefacts.predictions import PROBABILITY_PREFIX, class_names, read_predictions
from pipeline.report.contents.cohort_outcome import SlideSummary, read_cohort
from pipeline.report.contents.method_results import read_results
from pipeline.report.contents.report_sources import ReportSources


@dataclass(frozen=True)
class ModelView:
    """One model that predicted a slide which it was not trained on.

    Attributes
    ----------
    method
        Its method.
    seed, fold
        Of a cross-validation; None of the final model, which predicts new slides.
    predicted
        The class.
    probabilities
        By class.
    graphs, evidence
        Stores that hold the slide and need not exist; None where nobody writes one.
    """

    method: str
    seed: int | None
    fold: int | None
    predicted: str
    probabilities: Mapping[str, float]
    graphs: Path
    evidence: Path | None


@dataclass(frozen=True)
class PanelSubject:
    """A slide and where its artefacts lie.

    Attributes
    ----------
    run
        Name of the run.
    summary
        Its row in the sheet and what became of it.
    views
        Models that predicted it, the reference method first.
    tiles, nuclei, features
        Its artefacts, None of those it has not.
    """

    run: str
    summary: SlideSummary
    views: tuple[ModelView, ...]
    tiles: Path | None
    nuclei: Path | None
    features: Path | None

    @property
    def slide_id(self) -> str:
        """The slide."""
        return self.summary.row.slide_id


def panel_subjects(sources: ReportSources) -> tuple[PanelSubject, ...]:
    """Subject of every slide of the sheets, in their order.

    Raises
    ------
    ArtefactError
        If a file of the run is missing or unreadable.
    """
    views = _views(sources)
    return tuple(
        PanelSubject(
            sources.run,
            summary,
            tuple(views[summary.row.slide_id]),
            sources.tiles.get(summary.row.slide_id),
            sources.nuclei.get(summary.row.slide_id),
            sources.features.get(summary.row.slide_id),
        )
        for summary in read_cohort(sources)
    )


def _views(sources: ReportSources) -> dict[str, list[ModelView]]:
    """Models by slide: the reference method first, seeds in order, final ones last."""
    results = read_results(sources)
    reference = str(results.comparison["reference"].iloc[0])
    views: dict[str, list[ModelView]] = defaultdict(list)
    for method in sorted(sources.methods, key=lambda name: name != reference):
        for row in _rows(results.predictions[method]):
            seed, fold = int(row["seed"]), int(row["fold"])
            folder = sources.fold_folder(method, seed, fold)
            views[row["slide_id"]].append(_view(row, method, (seed, fold), folder / "graphs.zarr", folder / EVIDENCE))
    if sources.predictions is not None:
        method = str(sources.config["prediction"]["method"])
        graphs = sources.predictions.with_suffix(".graphs.zarr")
        for row in _rows(read_predictions(sources.predictions)):
            views[row["slide_id"]].append(_view(row, method, (None, None), graphs, None))
    return views


def _rows(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    classes = class_names(predictions)
    return [
        {**{str(name): value for name, value in row.items()}, "classes": classes}
        for row in predictions.to_dict("records")
    ]


def _view(
    row: Mapping[str, Any], method: str, seed_fold: tuple[int | None, int | None], graphs: Path, evidence: Path | None
) -> ModelView:
    probabilities = {name: float(row[f"{PROBABILITY_PREFIX}{name}"]) for name in row["classes"]}
    return ModelView(method, *seed_fold, str(row["predicted"]), probabilities, graphs, evidence)
