"""Everything the sections draw from, read once."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from pipeline.report.contents.cohort_outcome import SlideSummary, class_names, in_folds, labelled, read_cohort
from pipeline.report.contents.feature_separation import FeatureSeparation, feature_separation
from pipeline.report.contents.graph_statistics import GraphSummary, read_image_graphs, summarise_by_class
from pipeline.report.contents.image_outcomes import ImageOutcome, image_outcomes
from pipeline.report.contents.method_results import Results, read_results
from pipeline.report.contents.mismatches import Mismatches, read_mismatches
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.contents.shortcuts import Shortcut, shortcuts
from pipeline.report.contents.slide_selection import drawn_test_images
from pipeline.report.params import ReportParams


@dataclass(frozen=True)
class Making:
    """How the report was made.

    Attributes
    ----------
    source
        Source digest of the report.
    command
        Command line; "" when unknown.
    date
        When, in UTC; "" when unknown.
    """

    source: str = ""
    command: str = ""
    date: str = ""


@dataclass(frozen=True)
class ReportContents:
    """A run, read.

    Attributes
    ----------
    sources, params
        As given.
    cohort
        One summary per slide of the sheet.
    results
        Metrics, predictions and histories.
    mismatches
        Slides that were used although their features were made differently.
    making
        How the report was made.
    """

    sources: ReportSources
    params: ReportParams
    cohort: tuple[SlideSummary, ...]
    results: Results
    mismatches: Mismatches = field(default_factory=Mismatches)
    making: Making = field(default_factory=Making)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Classes of the slides in the folds, sorted: those that a model knows."""
        return class_names(self.tested)

    @cached_property
    def labelled(self) -> tuple[SlideSummary, ...]:
        """Slides that were to be trained on; a class may have been excluded as a whole."""
        return labelled(self.cohort)

    @cached_property
    def tested(self) -> tuple[SlideSummary, ...]:
        """Slides in the folds."""
        return in_folds(self.cohort)

    @cached_property
    def excluded(self) -> tuple[SlideSummary, ...]:
        """Labelled slides that are in no fold."""
        return tuple(slide for slide in self.cohort if slide.status == "excluded")

    @cached_property
    def predicted(self) -> tuple[SlideSummary, ...]:
        """Slides that nobody trained on: without a label, or new."""
        return tuple(slide for slide in self.cohort if slide.status in ("no label", "new"))

    @cached_property
    def folds(self) -> tuple[int, ...]:
        """Planned folds that have a test image."""
        return tuple(fold for fold in self.sources.folds if fold not in self.results.folds_left_out)

    @cached_property
    def chance(self) -> dict[str, float]:
        """What a guess gives: the largest class (accuracy), any one class (balanced accuracy), no order (AUROC)."""
        counts = Counter(slide.row.label for slide in self.tested)
        largest = max(counts.values()) / sum(counts.values())
        return {"accuracy": largest, "balanced_accuracy": 1 / len(counts), "auroc": 0.5}

    @cached_property
    def ranked(self) -> list[str]:
        """Methods, best first by the headline metric."""
        return self.results.ranked(self.sources.methods, self.params.headline_metric)

    @property
    def reference(self) -> str:
        """The method shown in depth: the one that the others were compared with."""
        return str(self.results.comparison["reference"].iloc[0])

    @cached_property
    def images(self) -> tuple[ImageOutcome, ...]:
        """What became of every test image under the reference method."""
        slide_ids = [slide.row.slide_id for slide in self.tested]
        return image_outcomes(self.results.predictions, self.reference, self.classes, slide_ids)

    @cached_property
    def drawn(self) -> list[str]:
        """Ids of the test images whose pictures are drawn, wrong and right ones in turn."""
        return drawn_test_images(self.one_seed(self.reference), self.params.n_overlays)

    @cached_property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        """Facts beside the tissue that go with the class."""
        return shortcuts(self.tested)

    @cached_property
    def feature_separation(self) -> FeatureSeparation | None:
        """Effects of class and patient on features; None without named features in common."""
        return feature_separation(self.tested, self.sources.features)

    @cached_property
    def graph_summaries(self) -> dict[str, dict[str, GraphSummary]]:
        """Learned graphs of test images (first seed) in numbers, by method and class, and under ``ALL_CLASSES``."""
        return {
            method: summarise_by_class(read_image_graphs(self.sources, method, self.one_seed(method)), self.classes)
            for method in self.sources.methods
        }

    @property
    def is_patient_level(self) -> bool:
        """Whether the sheet names the patient of every slide in the folds."""
        return all(slide.row.case_given for slide in self.tested)

    def one_seed(self, method: str) -> pd.DataFrame:
        """Test predictions of the first seed: every image once."""
        predictions = self.results.predictions[method]
        return predictions[predictions["seed"] == self.sources.seeds[0]]


def read_contents(sources: ReportSources, params: ReportParams, making: Making | None = None) -> ReportContents:
    """Read a run.

    Raises
    ------
    ArtefactError
        If a file that the report needs is missing or unreadable.
    """
    cohort, results = read_cohort(sources), read_results(sources)
    return ReportContents(sources, params, cohort, results, read_mismatches(sources), making or Making())
