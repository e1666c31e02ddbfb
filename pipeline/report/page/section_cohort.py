"""Who is in the cohort, and what became of every class."""

from collections.abc import Sequence
from statistics import median

import pandas as pd

from pipeline.report.contents.cohort_outcome import SlideSummary, class_names, patients
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import NONE, count
from pipeline.report.figures.charts_cohort import MOST_DOTS, patches_per_image
from pipeline.report.figures.figure_style import Figure, plot_figure
from pipeline.report.page.page_elements import Block, Gallery, Section, Table, Text, number_columns, text_columns


def cohort(contents: ReportContents) -> Section:
    """Classes, excluded slides and the size of graphs."""
    blocks: list[Block] = [_class_table(contents)]
    patches = {
        name: [slide.n_patches for slide in contents.tested if slide.row.label == name and slide.n_patches is not None]
        for name in contents.classes
    }
    shown = {name: counts for name, counts in patches.items() if counts}
    if shown:
        blocks.append(Gallery([_patches_figure(shown, contents.params.few_patches)], "large"))
    blocks.append(_excluded_table(contents.excluded) if contents.excluded else Text("No labelled slide was excluded."))
    return Section("cohort", "Cohort", blocks)


def _class_table(contents: ReportContents) -> Table:
    labelled = contents.labelled
    rows = [_class_row(name, [s for s in labelled if s.row.label == name]) for name in class_names(labelled)]
    rows.append(_class_row("all classes", labelled))
    note = "" if contents.is_patient_level else " Slides whose patient is not named count as patients of their own."
    numbers = number_columns("slides", "in folds", "excluded", "patients in folds", "patches per image (median)")
    return Table(
        [*text_columns("class"), *numbers],
        rows,
        f"Labelled slides by class, n = {len(labelled)}. A patient with slides of several classes counts in each of "
        f"them.{note}",
        marked=frozenset({len(rows) - 1}),
    )


def _class_row(name: str, slides: Sequence[SlideSummary]) -> tuple[str, ...]:
    inside = [slide for slide in slides if slide.status == "in the folds"]
    patches = [slide.n_patches for slide in inside if slide.n_patches is not None]
    return (
        name,
        count(len(slides)),
        count(len(inside)),
        count(len(slides) - len(inside)),
        count(patients(inside)),
        f"{median(patches):g}" if patches else NONE,
    )


def _patches_figure(patches: dict[str, list[int]], few: int) -> Figure:
    n_images = sum(map(len, patches.values()))
    dots = "a dot is an image; " if n_images <= MOST_DOTS else ""
    return plot_figure(
        "patches_per_image",
        patches_per_image(patches, few),
        f"Patches per image by class, n = {n_images} images in the folds: {dots}box, quartiles and median; whiskers, "
        f"1.5 times the interquartile range; dashed, the {few} patches below which this report warns.",
        "Box plot of the number of patches per image for each class",
        pd.DataFrame([(name, n) for name, counts in patches.items() for n in counts], columns=["class", "patches"]),
    )


def _excluded_table(excluded: Sequence[SlideSummary]) -> Table:
    rows = [(slide.row.slide_id, str(slide.row.label), slide.reason) for slide in excluded]
    return Table(
        text_columns("slide", "class", "reason"),
        rows,
        f"Labelled slides that are in no fold, n = {len(rows)}.",
    )
