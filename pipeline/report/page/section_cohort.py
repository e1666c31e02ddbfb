"""Who is in the cohort, and what became of every slide."""

from collections.abc import Sequence
from statistics import median

import numpy as np
from PIL import Image

from pipeline.report.contents.cohort_outcome import SlideSummary, class_names, patients
from pipeline.report.contents.report_data import ReportContents
from pipeline.report.contents.slide_selection import pictured_slides
from pipeline.report.contents.wording import NONE, count, decimal, plural
from pipeline.report.figures.charts_cohort import MOST_DOTS, patches_per_image
from pipeline.report.figures.figure_style import Figure
from pipeline.report.figures.overlays import overview_picture
from pipeline.report.page.page_elements import Block, Column, Gallery, Section, Table, Text


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
    excluded = [slide for slide in contents.cohort if slide.status == "excluded"]
    blocks.append(_excluded_table(excluded) if excluded else Text("No labelled slide was excluded."))
    return Section("cohort", "Cohort", blocks)


def _class_table(contents: ReportContents) -> Table:
    labelled = contents.labelled
    rows = [_class_row(name, [s for s in labelled if s.row.label == name]) for name in class_names(labelled)]
    columns = [
        Column("class"),
        *(
            Column(name, numeric=True)
            for name in ("slides", "in folds", "excluded", "patients in folds", "patches per image (median)")
        ),
    ]
    rows.append(_class_row("all classes", labelled))
    note = "" if contents.is_patient_level else " Slides whose patient is not named count as patients of their own."
    return Table(
        columns,
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
    return Figure(
        "patches_per_image",
        "svg",
        patches_per_image(patches, few),
        f"Patches per image by class, n = {n_images} images in the folds: {dots}box, quartiles and median; whiskers, "
        f"1.5 times the interquartile range; dashed, the {few} patches below which this report warns.",
        "Box plot of the number of patches per image for each class",
    )


def _excluded_table(excluded: Sequence[SlideSummary]) -> Table:
    rows = [(slide.row.slide_id, str(slide.row.label), slide.reason) for slide in excluded]
    return Table(
        [Column("slide"), Column("class"), Column("reason")],
        rows,
        f"Labelled slides that are in no fold, n = {len(rows)}.",
        searchable=len(rows) > 12,
    )


def slides(contents: ReportContents, first: Sequence[str]) -> Section:
    """Every slide in a row, and overview pictures of some.

    Parameters
    ----------
    first
        Ids of the slides to picture before others.
    """
    rows = [_slide_row(slide) for slide in contents.cohort]
    names = ("width mm", "height mm", "µm/px", "tiles kept", "tiles", "nuclei", "patches in graph")
    columns = [
        Column("slide"),
        Column("class"),
        Column("patient"),
        *(Column(n, numeric=True) for n in names),
        Column("status"),
    ]
    table = Table(
        columns,
        rows,
        f"All slides of the sheet, n = {len(rows)}. µm/px and size are those of level 0; a dash marks what was not "
        "measured, as for slides that came with their features.",
        searchable=len(rows) > 12,
    )
    return Section("slides", "Slides", [table, *_overviews(contents, first)])


def _slide_row(slide: SlideSummary) -> tuple[str, ...]:
    row = slide.row
    words = "new slide, whose label nobody trained on" if slide.status == "new" else slide.status
    status = words + (f": {slide.reason}" if slide.reason else "")
    return (
        row.slide_id,
        row.label or NONE,
        row.case_id if row.case_given else NONE,
        decimal(slide.width_mm, 2),
        decimal(slide.height_mm, 2),
        decimal(slide.slide_mpp, 4),
        count(slide.n_kept),
        count(slide.n_tiles),
        count(slide.n_nuclei),
        count(slide.n_patches),
        status,
    )


def _overviews(contents: ReportContents, first: Sequence[str]) -> list[Block]:
    overviews, params = contents.sources.overviews, contents.params
    chosen = [
        slide
        for slide in pictured_slides(contents.cohort, first, len(contents.cohort))
        if slide.row.slide_id in overviews and overviews[slide.row.slide_id].exists()
    ][: params.n_overlays]
    if not chosen:
        why = (
            "pictures are switched off (report: n_overlays)"
            if params.n_overlays == 0
            else "no slide with kept tiles has an overview"
        )
        return [Text(f"No overview pictures: {why}.")]
    figures = [_overview_figure(slide, contents) for slide in chosen]
    note = f"Overviews of {plural(len(figures), 'slide')}: what the tiling kept and dropped."
    return [Gallery(figures, "small", note)]


def _overview_figure(slide: SlideSummary, contents: ReportContents) -> Figure:
    slide_id = slide.row.slide_id
    with Image.open(contents.sources.overviews[slide_id]) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.uint8)
    return Figure(
        f"overview_{slide_id}",
        "png",
        overview_picture(pixels, contents.params.overview_px),
        f"{slide_id} ({slide.row.label or 'no label'}): {count(slide.n_kept)} of {count(slide.n_tiles)} tiles kept.",
        f"Overview of slide {slide_id} with its tiles",
    )
